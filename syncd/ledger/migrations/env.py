"""Alembic's entry: run the migrations on the connection of `syncd.ledger.database.migrate`."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from syncd.ledger.store import tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata if tables else None,
    transactional_ddl=False,
)
context.run_migrations()
