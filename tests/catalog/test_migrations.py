"""What the catalog's migrations do to rows that are there."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from catalog.models import Offering
from catalog.services import sync_catalog


@pytest.mark.django_db(transaction=True)
def test_names_that_two_places_share_are_told_apart_on_the_way_back() -> None:
    sync_catalog()
    node = ("catalog", "0003_efforts_and_places")
    loader = MigrationExecutor(connection).loader
    migration, state = loader.graph.nodes[node], loader.project_state([node], at_end=False)

    with connection.schema_editor() as editor:
        migration.unapply(state.clone(), editor)

    names = list(Offering.objects.values_list("model_string", flat=True))
    with connection.schema_editor() as editor:
        migration.apply(state, editor)
    assert len(names) == len(set(names)) > 0
