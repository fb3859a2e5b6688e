"""What an earlier ledger left in the two services: adopted, rebuilt, or reported."""
