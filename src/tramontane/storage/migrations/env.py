"""What Alembic runs: the migrations, on the connection and in the transaction that `migrate` holds."""

from alembic import context

from tramontane.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
