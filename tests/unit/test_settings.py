"""Settings: one rule for their names, checks that name what is wrong, and the door of 1.0."""

from __future__ import annotations

import copy
import pathlib
import pickle
import subprocess
import sys
from collections import OrderedDict

import numpy
import pytest

from eisenmp.core.settings import FIELDS, PREFIX, Retries, Settings, split_attributes
from eisenmp.errors import SettingsError

DEFAULTS: dict[str, object] = {
    "procs_max": None,
    "rows_max": 1000,
    "start_method": "spawn",
    "results_store": False,
    "results_print": False,
    "results_dict_print": False,
    "result_label": 'add a "RESULT_LABEL" var',
    "info_enable": False,
    "info_thread_max": None,
    "stop_msg_disable": False,
    "progress": False,
    "dashboard": False,
    "retries": Retries(raised=0, death=2, timeout=0),
    "timeout": None,
    "timeout_row": None,
    "start_timeout": 60.0,
    "ready_timeout": 30.0,
    "grace": 10.0,
    "variables": {},
    "on_error": "raise",
    "ledger": None,
    "resume": False,
    "memory_max": None,
    "shared_memory_max": None,
    "chunks_max": None,
    "threads_max": None,
    "pin": "none",
    "port_groups": (),
    "lame_duck": 1.0,
    "drain_timeout": 30.0,
    "requests_max": None,
    "age_max": None,
    "health": None,
    "health_interval": 5.0,
    "health_timeout": 2.0,
    "health_failures_max": 3,
    "spare": 0,
    "compute": None,
    "restarts_max": 5,
    "log_format": "text",
    "name": None,
}


class Group:
    """As much of a PortGroup as the check asks for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ports = range(13_000, 13_006)


def keywords(**settings: object) -> Settings:
    return Settings.from_keywords(settings, {})


def environment(**variables: str) -> Settings:
    return Settings.from_keywords({}, {PREFIX + name.upper(): text for name, text in variables.items()})


def test_defaults_are_those_of_the_documentation() -> None:
    assert {name: getattr(Settings(), name) for name in FIELDS} == DEFAULTS
    assert keywords() == Settings() == environment()


def test_fields_tell_name_type_default_and_documentation() -> None:
    fields = list(Settings.fields())
    assert [name for name, _, _, _ in fields] == list(DEFAULTS)
    assert {name: default for name, _, default, _ in fields} == DEFAULTS
    assert {name: kind for name, kind, _, _ in fields}["procs_max"] == "int | None"
    for name, kind, default, doc in fields:
        assert kind, name
        assert doc and "\n" not in doc, name
        assert getattr(Settings, name) == default


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_default_passes_its_own_check(name: str) -> None:
    assert FIELDS[name].take(DEFAULTS[name], name) == DEFAULTS[name]


ACCEPTED: list[tuple[str, object, object]] = [
    ("procs_max", 1, 1),
    ("procs_max", 16, 16),
    ("procs_max", None, None),
    ("procs_max", numpy.int64(3), 3),
    ("rows_max", 1, 1),
    ("rows_max", "auto", "auto"),
    ("start_method", "spawn", "spawn"),
    ("start_method", "forkserver", "forkserver"),
    ("start_method", "fork", "forkserver"),
    ("results_store", True, True),
    ("results_store", 0, False),
    ("result_label", "prime", "prime"),
    ("result_label", 42, "42"),
    ("info_thread_max", 0, 0),
    ("info_thread_max", 1e6, 1_000_000),
    ("info_thread_max", 2.5, 3),
    ("dashboard", True, True),
    ("dashboard", 8080, 8080),
    ("dashboard", 65535, 65535),
    ("retries", 3, Retries(3, 3, 3)),
    ("retries", 0, Retries(0, 0, 0)),
    ("retries", {"death": 5}, Retries(0, 5, 0)),
    ("retries", {"raise": 1, "death": 0, "timeout": 2}, Retries(1, 0, 2)),
    ("retries", OrderedDict(raised=4), Retries(4, 2, 0)),
    ("retries", "death=2,raise=0", Retries(0, 2, 0)),
    ("retries", " timeout = 7 ", Retries(0, 2, 7)),
    ("retries", "5", Retries(5, 5, 5)),
    ("retries", Retries(9, 8, 7), Retries(9, 8, 7)),
    ("timeout", 5, 5.0),
    ("timeout", 0.25, 0.25),
    ("timeout_row", numpy.float64(0.5), 0.5),
    ("grace", 0, 0.0),
    ("variables", {"depth": 3}, {"depth": 3}),
    ("on_error", "skip", "skip"),
    ("ledger", "run.db", "run.db"),
    ("ledger", pathlib.Path("runs") / "a.db", str(pathlib.Path("runs") / "a.db")),
    ("memory_max", 536_870_912, 536_870_912),
    ("memory_max", "512M", 512 * 1024**2),
    ("memory_max", "2G", 2 * 1024**3),
    ("memory_max", "1.5g", 3 * 1024**3 // 2),
    ("memory_max", "4096 KiB", 4 * 1024**2),
    ("memory_max", "1TB", 1024**4),
    ("memory_max", "1048576", 1024**2),
    ("shared_memory_max", 0, 0),
    ("shared_memory_max", "0", 0),
    ("shared_memory_max", "2G", 2 * 1024**3),
    ("pin", "core", "core"),
    ("pin", [0, 2], (0, 2)),
    ("pin", (1, 1), (1, 1)),
    ("pin", range(3), (0, 1, 2)),
    ("pin", "0,1", (0, 1)),
    ("pin", "3,0-2", (3, 0, 1, 2)),
    ("name", "night run", "night run"),
]


@pytest.mark.parametrize(("name", "value", "kept"), ACCEPTED)
def test_a_value_is_kept_in_one_form(name: str, value: object, kept: object) -> None:
    settings = keywords(**{name: value})
    assert getattr(settings, name) == kept
    assert type(getattr(settings, name)) is type(kept)
    assert settings.replace() == settings


REFUSED: list[tuple[str, object, str]] = [
    ("procs_max", 0, "procs_max must be a whole number of at least 1 or None, not 0"),
    ("procs_max", -2, "at least 1 or None, not -2"),
    ("procs_max", True, "procs_max must be a whole number of at least 1 or None, not True"),
    ("procs_max", 2.0, "not 2.0"),
    ("procs_max", "4", "not '4'"),
    ("rows_max", "many", "rows_max must be a whole number of at least 1 or 'auto', not 'many'"),
    ("rows_max", None, "rows_max must be a whole number of at least 1 or 'auto', not None"),
    ("rows_max", "auot", "did you mean 'auto'?"),
    (
        "start_method",
        "forkservr",
        "'spawn', 'forkserver' or 'fork', not 'forkservr'; did you mean 'forkserver'?",
    ),
    ("start_method", 1, "start_method must be"),
    ("results_store", 2, "results_store must be True or False, not 2"),
    ("results_store", [], "results_store must be True or False, not []"),
    ("info_thread_max", -1, "info_thread_max must be a whole number of at least 0 or None, not -1"),
    ("info_thread_max", float("nan"), "not nan"),
    ("info_thread_max", float("inf"), "not inf"),
    ("dashboard", 65_536, "dashboard must be True, False or a port up to 65535, not 65536"),
    ("dashboard", -1, "not -1"),
    ("dashboard", "later", "not 'later'"),
    ("dashboard", None, "not None"),
    ("retries", -1, "retries must be a whole number of at least 0 or such numbers as"),
    ("retries", True, "not True"),
    ("retries", {"deaths": 1}, "not {'deaths': 1}"),
    ("retries", {"raise": -1}, "not {'raise': -1}"),
    ("retries", "death", "not 'death'"),
    ("retries", "death=x", "not 'death=x'"),
    ("timeout", 0, "timeout must be a number of seconds above 0 or None, not 0"),
    ("timeout", -1.5, "not -1.5"),
    ("timeout", True, "not True"),
    ("timeout_row", float("nan"), "not nan"),
    ("timeout_row", float("inf"), "not inf"),
    ("start_timeout", None, "start_timeout must be a number of seconds above 0, not None"),
    ("ready_timeout", "30", "not '30'"),
    ("grace", -1, "grace must be a number of seconds of at least 0, not -1"),
    ("variables", ["depth"], "variables must be a mapping of names to values, not ['depth']"),
    ("variables", {1: 2}, "not {1: 2}"),
    ("on_error", "skpi", "on_error must be 'raise' or 'skip', not 'skpi'; did you mean 'skip'?"),
    ("ledger", "", "ledger must be a path or None, not ''"),
    ("ledger", b"run.db", "not b'run.db'"),
    ("memory_max", 1024, "memory_max must be a number of bytes of at least 1 MiB"),
    ("memory_max", "lots", "not 'lots'"),
    ("memory_max", 0, "memory_max must be a number of bytes of at least 1 MiB"),
    ("shared_memory_max", 1024, "shared_memory_max must be a number of bytes of at least 1 MiB"),
    ("shared_memory_max", False, "such as '2G', 0 for none, or None, not False"),
    ("memory_max", "infG", "not 'infG'"),
    ("memory_max", "", "not ''"),
    ("chunks_max", 0, "chunks_max must be a whole number of at least 1 or None, not 0"),
    ("threads_max", False, "not False"),
    ("pin", [0, -1], "pin must be 'none', 'core' or a list of core numbers, not [0, -1]"),
    ("pin", [], "not []"),
    ("pin", {0, 1}, "not {0, 1}"),
    ("pin", 2, "not 2"),
    ("pin", "cores", "not 'cores'; did you mean 'core'?"),
    ("pin", "0-99999999999", "not '0-99999999999'"),
    ("port_groups", ["blue"], "port_groups must be a list of PortGroup, not ['blue']"),
    ("port_groups", Group("blue"), "port_groups must be a list of PortGroup"),
    ("name", "a/b", "name must be a name without slashes or None, not 'a/b'"),
    ("name", "..", "not '..'"),
    ("name", " ", "not ' '"),
    ("name", "a\nb", "not 'a\\nb'"),
]


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_a_wrong_value_is_refused_by_name(name: str, value: object, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        keywords(**{name: value})
    assert str(caught.value).startswith(name + " must be ")
    assert message in str(caught.value)


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(SettingsError) as caught:
        keywords(pin=["x" * 10_000])
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "row_max",
            "'row_max' is not a setting; did you mean 'rows_max' (a whole number of at least 1 or 'auto')?",
        ),
        ("procsmax", "did you mean 'procs_max' (a whole number of at least 1 or None)?"),
        ("PROCS_MAX", "did you mean 'procs_max'"),
        ("Timeout", "did you mean 'timeout'"),
        ("zzz", "'zzz' is not a setting; the settings are procs_max, rows_max,"),
    ],
)
def test_an_unknown_keyword_names_the_nearest(wrong: str, message: str) -> None:
    settings: dict[str, object] = {wrong: 1}
    messages = []
    for make in (keywords, Settings, Settings().replace):
        with pytest.raises(SettingsError) as caught:
            make(**settings)
        messages.append(str(caught.value))
    assert message in messages[0]
    assert len(set(messages)) == 1


def test_resume_needs_a_ledger() -> None:
    with pytest.raises(SettingsError, match="resume needs ledger"):
        keywords(resume=True)
    assert keywords(resume=True, ledger="run.db").resume


TEXTS: list[tuple[str, str, object]] = [
    ("procs_max", "4", 4),
    ("procs_max", "none", None),
    ("rows_max", "auto", "auto"),
    ("rows_max", "10_000", 10_000),
    ("start_method", "FORK", "forkserver"),
    ("results_store", "1", True),
    ("results_store", "Yes", True),
    ("progress", "on", True),
    ("progress", "TRUE", True),
    ("progress", "false", False),
    ("progress", "no", False),
    ("progress", "off", False),
    ("progress", "0", False),
    ("result_label", "Primes", "Primes"),
    ("info_thread_max", "1e6", 1_000_000),
    ("dashboard", "1", True),
    ("dashboard", "off", False),
    ("dashboard", "8080", 8080),
    ("retries", "death=3", Retries(0, 3, 0)),
    ("retries", "1", Retries(1, 1, 1)),
    ("timeout", "2.5", 2.5),
    ("timeout", "None", None),
    ("grace", "0", 0.0),
    ("variables", '{"Depth": [1, 2]}', {"Depth": [1, 2]}),
    ("on_error", "skip", "skip"),
    ("ledger", "/data/Run.db", "/data/Run.db"),
    ("memory_max", "512M", 512 * 1024**2),
    ("pin", "Core", "core"),
    ("pin", "0,1", (0, 1)),
    ("name", "Night", "Night"),
]


@pytest.mark.parametrize(("name", "text", "kept"), TEXTS)
def test_a_text_of_the_environment_is_converted(name: str, text: str, kept: object) -> None:
    settings = environment(**{name: f" {text} "})
    assert getattr(settings, name) == kept
    assert type(getattr(settings, name)) is type(kept)


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_an_empty_variable_counts_as_not_set(name: str) -> None:
    assert environment(**{name: ""}) == environment(**{name: "  "}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("procs_max", "0", "EISENMP_PROCS_MAX must be a whole number of at least 1 or None, not '0'"),
        ("procs_max", "four", "EISENMP_PROCS_MAX must be"),
        ("rows_max", "none", "EISENMP_ROWS_MAX must be"),
        ("progress", "perhaps", "EISENMP_PROGRESS must be True or False, not 'perhaps'"),
        ("timeout", "-1", "EISENMP_TIMEOUT must be a number of seconds above 0 or None, not '-1'"),
        ("variables", "{1", "EISENMP_VARIABLES must be a mapping of names to values, not '{1'"),
        ("port_groups", "blue=13000", "EISENMP_PORT_GROUPS must be a list of PortGroup, not 'blue=13000'"),
        ("start_method", "spwan", "did you mean 'spawn'?"),
    ],
)
def test_a_wrong_text_names_the_variable(name: str, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        environment(**{name: text})
    assert message in str(caught.value)


def test_a_text_of_the_command_line_names_the_option() -> None:
    assert FIELDS["procs_max"].take("4", "--procs-max", text=True) == 4
    with pytest.raises(SettingsError, match=r"^--procs-max must be"):
        FIELDS["procs_max"].take("x", "--procs-max", text=True)


def test_a_keyword_goes_before_the_environment_and_that_before_the_default() -> None:
    environ = {"EISENMP_PROCS_MAX": "3", "EISENMP_ROWS_MAX": "7", "EISENMP_PORTABLE": "1", "PROCS_MAX": "9"}
    settings = Settings.from_keywords({"procs_max": 5}, environ)
    assert (settings.procs_max, settings.rows_max, settings.grace) == (5, 7, 10.0)
    assert Settings.from_keywords({"procs_max": None}, environ).procs_max is None
    assert Settings.from_keywords({"procs_max": 1}, {"EISENMP_PROCS_MAX": "bad"}).procs_max == 1


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(AttributeError, match="replace"):
        settings.procs_max = 4
    with pytest.raises(AttributeError):
        setattr(settings, "un" + "known", 1)
    changed = settings.replace(procs_max=4, start_method="fork")
    assert (changed.procs_max, changed.start_method, settings.procs_max) == (4, "forkserver", None)
    with pytest.raises(SettingsError, match="rows_max"):
        settings.replace(rows_max=0)


def test_the_variables_are_the_settings_own() -> None:
    variables: dict[str, object] = {"depth": 3}
    settings = keywords(variables=variables)
    variables["depth"] = 4
    assert settings.variables == {"depth": 3}
    assert Settings().variables is not Settings().variables


def test_settings_cross_to_another_process() -> None:
    settings = keywords(procs_max=2, retries="death=9", pin=[1, 0], variables={"a": [1]}, ledger="x.db")
    for other in (pickle.loads(pickle.dumps(settings)), copy.copy(settings), copy.deepcopy(settings)):
        assert other == settings
        assert other.retries.death == 9
        with pytest.raises(AttributeError):
            other.procs_max = 3
    assert settings != Settings()
    assert settings != "settings"


def test_port_groups_are_kept_in_order() -> None:
    blue, red = Group("blue"), Group("red")
    assert keywords(port_groups=[red, blue]).port_groups == (red, blue)


def test_the_representation_shows_the_values() -> None:
    assert "procs_max=4" in repr(keywords(procs_max=4))
    assert len(repr(keywords(variables={"words": "x" * 10_000}))) < 2_000


class ModuleConfiguration:
    """As programs of 1.0 write it."""

    def __init__(self) -> None:
        self.worker_modules = [{"WORKER_PATH": "worker.py", "WORKER_REF": "worker"}]
        self.PROCS_MAX = 3
        self.ROWS_MAX = 42
        self.RESULTS_STORE = True
        self.RESULTS_PRINT = True
        self.RESULTS_DICT_PRINT = True
        self.RESULT_LABEL = "prime"
        self.START_METHOD = "fork"
        self.INFO_ENABLE = True
        self.INFO_THREAD_MAX = 10**4
        self.stop_msg_disable = True
        self.range_num = 10**4
        self.MULTI_TOOL = None
        self.BLUE = "\033[1;34;48m"


def test_the_door_of_1_0_takes_its_names() -> None:
    attributes = vars(ModuleConfiguration())
    settings, variables, warnings = split_attributes(attributes, {})
    assert settings == Settings(
        procs_max=3,
        rows_max=42,
        results_store=True,
        results_print=True,
        results_dict_print=True,
        result_label="prime",
        start_method="forkserver",
        info_enable=True,
        info_thread_max=10_000,
        stop_msg_disable=True,
    )
    assert variables == attributes
    assert list(variables) == list(attributes)
    assert variables["START_METHOD"] == "fork"
    assert warnings == []


@pytest.mark.parametrize(
    ("attribute", "value", "name"),
    [
        ("NUM_PROCS", 3, "procs_max"),
        ("NUM_ROWS", 42, "rows_max"),
        ("store_result", True, "results_store"),
        ("stop_msg_disable", True, "stop_msg_disable"),
        ("STOP_MSG_DISABLE", True, "stop_msg_disable"),
        ("EISENMP_PROCS_MAX", 3, "procs_max"),
        ("EISENMP_TIMEOUT", 5.0, "timeout"),
        ("EISENMP_RETRIES", Retries(1, 1, 1), "retries"),
        ("EISENMP_VARIABLES", {"depth": 1}, "variables"),
    ],
)
def test_the_door_takes_other_spellings(attribute: str, value: object, name: str) -> None:
    settings, variables, warnings = split_attributes({attribute: value}, {})
    assert getattr(settings, name) == value
    assert variables == ({} if attribute.startswith(PREFIX) else {attribute: value})
    assert warnings == []


def test_the_door_prefers_the_full_name() -> None:
    settings, _, _ = split_attributes({"NUM_PROCS": 1, "PROCS_MAX": 2}, {})
    assert settings.procs_max == 2
    settings, _, _ = split_attributes({"NUM_PROCS": 1, "PROCS_MAX": 2, "EISENMP_PROCS_MAX": 3}, {})
    assert settings.procs_max == 3


def test_none_at_the_door_means_not_given() -> None:
    attributes = dict.fromkeys(
        ["PROCS_MAX", "ROWS_MAX", "RESULTS_STORE", "START_METHOD", "RESULT_LABEL", "INFO_THREAD_MAX"]
    )
    settings, variables, _ = split_attributes(attributes, {"EISENMP_ROWS_MAX": "5"})
    assert settings == Settings(rows_max=5)
    assert variables == attributes


def test_the_door_goes_before_the_base_and_the_environment() -> None:
    environ = {"EISENMP_PROCS_MAX": "8", "EISENMP_GRACE": "1", "EISENMP_LEDGER": "x.db"}
    settings, _, _ = split_attributes({"PROCS_MAX": 2, "EISENMP_RESUME": True}, environ)
    assert (settings.procs_max, settings.grace, settings.resume) == (2, 1.0, True)
    base = Settings.from_keywords({"rows_max": 7, "procs_max": 4}, environ)
    settings, _, _ = split_attributes({"PROCS_MAX": 2}, {"EISENMP_ROWS_MAX": "9"}, base)
    assert (settings.procs_max, settings.rows_max, settings.grace) == (2, 7, 1.0)
    assert split_attributes({}, {}, base)[0] == base


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("PROCS_MAX", 0, "PROCS_MAX must be a whole number of at least 1 or None, not 0"),
        ("ROWS_MAX", "many", "ROWS_MAX must be a whole number of at least 1 or 'auto', not 'many'"),
        ("NUM_ROWS", 0, "NUM_ROWS must be"),
        (
            "START_METHOD",
            "forks",
            "START_METHOD must be 'spawn', 'forkserver' or 'fork', not 'forks'; did you mean 'fork'?",
        ),
        ("store_result", "perhaps", "store_result must be True or False, not 'perhaps'"),
        ("EISENMP_TIMEOUT", -1, "EISENMP_TIMEOUT must be a number of seconds above 0 or None, not -1"),
        ("EISENMP_TIMOUT", 1, "'EISENMP_TIMOUT' is not a setting; did you mean 'EISENMP_TIMEOUT' (a number"),
    ],
)
def test_an_error_at_the_door_names_what_was_written(attribute: str, value: object, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        split_attributes({attribute: value}, {})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("attribute", "value", "meant"),
    [
        ("PROC_MAX", 4, "PROCS_MAX"),
        ("PROCS_MX", 4, "PROCS_MAX"),
        ("PORCS_MAX", 4, "PROCS_MAX"),
        ("PROCESS_MAX", 4, "PROCS_MAX"),
        ("ROW_MAX", 10, "ROWS_MAX"),
        ("RWOS_MAX", 10, "ROWS_MAX"),
        ("ROWS_MAXX", 10, "ROWS_MAX"),
        ("NUM_PROC", 2, "NUM_PROCS"),
        ("NUM_ROW", 2, "NUM_ROWS"),
        ("RESULT_STORE", True, "RESULTS_STORE"),
        ("RESULTS_STORED", True, "RESULTS_STORE"),
        ("RESULT_PRINT", True, "RESULTS_PRINT"),
        ("RESULT_DICT_PRINT", True, "RESULTS_DICT_PRINT"),
        ("RESULTS_LABEL", "prime", "RESULT_LABEL"),
        ("START_METHODE", "spawn", "START_METHOD"),
        ("INFO_ENABLED", True, "INFO_ENABLE"),
        ("INFO_THREADS_MAX", 100, "INFO_THREAD_MAX"),
        ("STORE_RESULT", True, "store_result"),
        ("procs_max", 4, "PROCS_MAX"),
        ("rows_max", 4, "ROWS_MAX"),
        ("TIMEOUT_ROW", 2.5, "EISENMP_TIMEOUT_ROW"),
        ("CHUNKS_MAX", 2, "EISENMP_CHUNKS_MAX"),
    ],
)
def test_a_near_miss_warns_and_stays_a_variable(attribute: str, value: object, meant: str) -> None:
    settings, variables, warnings = split_attributes({attribute: value}, {})
    assert settings == Settings()
    assert variables == {attribute: value}
    assert warnings == [f"{attribute} goes to the toolbox as a variable of yours; the setting is {meant}"]


NUMBERS = """
    N MAX ROWS COLS PROCS ROWS_MIN COLS_MAX COLS_MIN ROWS_MAX_2 ROWS_MAX1 WORDS_MAX ITEMS_MAX
    MAX_ROWS ROWS_ALL ROWS_TOTAL NUM_COLS NUM_PRODS NUM_WORDS NUM_LISTS PROCS_MIN PRODS_MAX
    PROBS_MAX PORTS_MAX RAW_MAX RESULT RESULTS RESULTS_MAX RESULTS_PATH RESULTS_FILE INFO INFO_MAX
    INFO_LEVEL INFO_THREAD THREAD_MAX START_NUM START START_PORT START_DATE START_SEQUENCE_NUM
    TIMEOUT RETRIES PIN GRACE NAME LEDGER RESUME PROGRESS DASHBOARD VARIABLES LOG_LEVEL WORKER_ID
    WORKER_PID PERF_CURRENT_ETA timeout retries rows procs max_rows result_lbl num_of_lists
    sleep_time range_num EISEN_MAX CHUNK_SIZE BATCH_MAX rows_done
"""
TEXTS_OF_USERS = """
    BLUE RED GREEN YELLOW END BOLD CYAN STOP STOP_MSG STOP_CONFIRM STOP_PROC OUTPUT_HEADER INPUT_HEADER
    PERF_HEADER_ETA WORKER_NAME RESULT_PATH RESULT_TABLE LABEL LABELS RESULTS_LANGUAGE START_URL METHOD
    START_MODE START_METHOD_NAME HTTP_METHOD url csv_col_name radio_name MULTI_TOOL WORKER_PATH
"""
FLAGS_OF_USERS = """
    DEBUG VERBOSE lowercase STORE PRINT RESULTS_SORT RESULTS_SEND PRINT_RESULTS INFO_PRINT ENABLE_INFO
    DICT_PRINT STOP_DISABLE MSG_DISABLE shrink_wordlist use_file_system store_results
"""


def test_variables_of_real_programs_raise_no_alarm() -> None:
    others: dict[str, object] = {
        "ROWS_MAP": {1: 2},
        "ROW_MAX": [1, 2],
        "PROC_MAX": None,
        "PORT_GROUPS": {"blue": 1},
        "PROCES_MAX": "many",
        "START_TIMEOUT": "late",
        "RESULT_STORE": "/data/results",
    }
    attributes = dict.fromkeys(NUMBERS.split(), 3) | dict.fromkeys(TEXTS_OF_USERS.split(), "x") | others
    attributes |= dict.fromkeys(FLAGS_OF_USERS.split(), True)
    settings, variables, warnings = split_attributes(attributes, {})
    assert warnings == []
    assert settings == Settings()
    assert variables == attributes


def test_the_import_is_light() -> None:
    code = (
        "import sys; before = set(sys.modules); import eisenmp.core.settings as s;"
        "s.Settings.from_keywords({}, {}); s.split_attributes({'PROCS_MAX': 2, 'PROC_MAX': 2, 'B': 'x'}, {});"
        "print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-S", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=_path())
    heavy = {"dataclasses", "typing", "re", "enum", "inspect", "difflib", "json", "eisenmp.core.cpus"}
    assert "eisenmp.core.settings" in run.stdout.split()
    assert heavy.isdisjoint(run.stdout.split())


def _path() -> dict[str, str]:
    source = pathlib.Path(sys.modules["eisenmp.core.settings"].__file__ or "").parents[2]
    return {"PYTHONPATH": str(source)}
