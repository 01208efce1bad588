"""Minari datasets: loaded as they were recorded, with where they come from; a small learner gets something out of them."""

import json

import numpy as np
import pytest

from sageserve_env.datasets.minari_files import dataset_id, datasets_in, write_dataset
from sageserve_env.datasets.record import Recording, data_digest
from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import load_policy
from tests.datasets.cloning import clone

MIX = {"random": 0.25, "noisy": 0.25, "expert": 0.5}
NAME = "sageserve/mini/reactive-v0"


@pytest.fixture(scope="module")
def made():
    recording = Recording(load_policy("reactive"), "SageServe/Mini-v0", MIX, 8, horizon_s=2 * 3600.0)
    return recording, list(recording.episodes())


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets") / "new"
    write_dataset(*made, folder, NAME)
    return folder


@pytest.fixture
def loaded(folder, monkeypatch):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder))
    return minari.load_dataset(NAME)


def test_it_loads_as_it_was_recorded(loaded, made) -> None:
    recording, recorded = made
    assert (loaded.total_episodes, loaded.total_steps) == (8, 8 * 24)
    for episode, mine in zip(loaded, recorded, strict=True):
        for name in ("observations", "actions", "rewards"):
            assert np.array_equal(getattr(episode, name), getattr(mine, name))
        assert episode.truncations.tolist() == [False] * 23 + [True]
        assert not episode.terminations.any()
        assert set(episode.infos) >= {*TERMS, "cost"}
        assert all(np.array_equal(episode.infos[name], array) for name, array in mine.infos.items())
    env = loaded.recover_environment()
    assert env.action_space == recording.env.action_space
    assert np.array_equal(env.reset(seed=recorded[0].seed)[0], recorded[0].observations[0])


def test_where_it_comes_from_is_told(loaded, folder, made) -> None:
    recording, recorded = made
    facts = json.loads((folder / NAME / "provenance.json").read_text())
    assert facts["data_digest"] == data_digest(recorded) == loaded.storage.metadata["data_digest"]
    assert (facts["policy"], facts["mix"], facts["config"]["split"]) == ("reactive", MIX, "train")
    assert [each["kind"] for each in facts["episodes"]] == recording.kinds
    kept = list(loaded.storage.get_episode_metadata(range(8)))
    assert [(each["kind"], each["actions"]) for each in kept] == [(each.kind, each.digests[0]) for each in recorded]
    files = json.loads((folder / NAME / "croissant.json").read_text())["distribution"]
    assert {each["@id"] for each in files} == {"data/main_data.hdf5", "data/metadata.json", "provenance.json"}


def test_behaviour_cloning_learns_from_it(loaded) -> None:
    """After some steps a linear policy is nearer to the expert on an episode that it has not seen than the best constant is."""
    experts = [episode for episode in loaded if next(iter(loaded.storage.get_episode_metadata([episode.id])))["kind"] == "expert"]
    seen, unseen = experts[:-1], experts[-1]
    observations = np.concatenate([episode.observations[:-1] for episode in seen])
    actions = np.concatenate([episode.actions for episode in seen])
    act, losses = clone(observations, actions, steps=300)
    assert losses[-1] < 0.5 * losses[0]
    error = np.mean((act(unseen.observations[:-1]) - unseen.actions) ** 2)
    assert error < np.mean((actions.mean(axis=0) - unseen.actions) ** 2)
    env = FleetEnv(problem="mini", action_mode="target", horizon_s=3600.0)
    observation, _ = env.reset(seed=0)
    for _ in range(12):
        observation, *_ = env.step(act(observation[None])[0])
    assert not env.is_overfull


def test_nothing_is_written_over_and_names_are_checked(folder, made) -> None:
    with pytest.raises(InputError, match="is there already"):
        write_dataset(*made, folder, NAME)
    for name in ("Reactive-v0", "reactive", "../x-v0", "a/b-v0", ""):
        with pytest.raises(InputError, match="is no name of a dataset"):
            dataset_id("SageServe/Mini-v0", name)


def test_what_fails_leaves_nothing_behind(made, tmp_path, monkeypatch) -> None:
    import sageserve_env.datasets.minari_files as module

    monkeypatch.setattr(module, "metadata", lambda *given, **more: 1 / 0)
    monkeypatch.setenv("MINARI_DATASETS_PATH", "elsewhere")
    with pytest.raises(ZeroDivisionError):
        write_dataset(*made, tmp_path, NAME)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with datasets_in(tmp_path):
        pass
    assert module.os.environ["MINARI_DATASETS_PATH"] == "elsewhere"
