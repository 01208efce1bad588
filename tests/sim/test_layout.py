"""The arrays that the kernels take by position are built in the order of their names."""

from sageserve_env.env.config import Config
from sageserve_env.env.setup import Setup
from sageserve_env.env.state import Rows
from sageserve_env.env.tables import empty_rows
from sageserve_env.sim.build import initial_state, world_tables
from sageserve_env.sim.state import STATE_FIELDS, WORLD_FIELDS
from sageserve_env.world import load_world


def test_state_and_tables_come_in_the_order_of_sim():
    world = load_world("published")
    assert tuple(initial_state(world)) == STATE_FIELDS
    assert tuple(world_tables(world)) == WORLD_FIELDS


def test_rows_come_in_their_order():
    assert tuple(empty_rows(Setup(Config()).settings, 1)) == Rows._fields
