"""What the ledger says about how well the rules were kept: figures, the weekly e-mail, exports."""
