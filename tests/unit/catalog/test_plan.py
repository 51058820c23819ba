import pytest

from tramontane.catalog.machine import Gpu, Machine
from tramontane.catalog.plan import Fit, kv_bytes_per_token, make_plan, quantized_here, ready_quantized
from tramontane.catalog.shape import ModelShape

GB = 10**9
SHAPE = ModelShape("mistral", layers=30, kv_heads=8, head_size=120)
ENGINE = 400 * 1024 * 1024
PARAMETERS = 3 * GB


def machine(memory, available=None, gpus=()):
    return Machine(int(memory), int(memory if available is None else available), 8, 100 * GB, tuple(gpus))


def plan_of(memory, available=None, context_tokens=1000, **options):
    gpus = options.pop("gpus", ())
    choices = quantized_here(PARAMETERS, 6 * GB)
    return make_plan(
        choices, SHAPE, machine(memory, available, gpus), context_tokens=context_tokens, **options
    )


def test_memory_is_weights_and_cache_and_the_engine():
    # A token: keys and values of 30 layers and 8 heads, each of 120 numbers of a byte and 8 bytes of scale.
    assert kv_bytes_per_token(SHAPE) == 2 * 30 * 8 * 128
    plan = plan_of(100 * GB)
    assert [need.choice.quantization for need in plan.needs] == ["none", "int8", "int4"]
    assert [need.choice.weights for need in plan.needs] == [6_000_000_000, 3_187_500_000, 1_687_500_000]
    for need in plan.needs:
        assert need.kv_cache == 1000 * 61_440
        assert need.memory == need.choice.weights + need.kv_cache + ENGINE
        assert need.choice.download == 6 * GB


@pytest.mark.parametrize(
    ("memory", "available", "fits", "picked"),
    [
        (100, 100, [Fit.YES, Fit.YES, Fit.YES], "none"),
        (8, 5, [Fit.TIGHT, Fit.YES, Fit.YES], "int8"),
        (5, 4, [Fit.NO, Fit.TIGHT, Fit.YES], "int4"),
        (5, 1, [Fit.NO, Fit.TIGHT, Fit.TIGHT], "int4"),
        (2, 2, [Fit.NO, Fit.NO, Fit.NO], None),
    ],
)
def test_the_best_form_that_fits_is_picked(memory, available, fits, picked):
    plan = plan_of(memory * GB, available * GB)
    assert [need.fit for need in plan.needs] == fits
    assert (plan.picked.choice.quantization if plan.picked else None) == picked
    assert plan.engine == "openvino"


def test_longer_conversations_need_more():
    plan = plan_of(8 * GB, context_tokens=100_000)
    assert plan.needs[0].kv_cache == 6_144_000_000
    assert plan.picked is None


def test_the_operators_choice_is_kept():
    assert plan_of(100 * GB, preferred="none").picked.choice.quantization == "none"
    assert plan_of(5 * GB, preferred="none").picked is None


def test_a_gpu_that_has_room_is_taken_if_there_is_an_engine_for_it():
    gpus = [Gpu("H100", 80 * GB, 80 * GB)]
    plan = plan_of(16 * GB, gpus=gpus, gpu_engine="vllm")
    assert (plan.engine, plan.picked.choice.quantization) == ("vllm", "none")
    assert plan_of(16 * GB, gpus=gpus).engine == "openvino"
    assert plan_of(16 * GB, gpus=[Gpu("old", GB, GB)], gpu_engine="vllm").engine == "openvino"


@pytest.mark.parametrize(
    ("quantization", "weights"),
    [("Q4_K_M", 1000), ("Q8_0", 1000), ("Q4_0", 1000), ("Q4_1", 1700), ("Q5_K_M", 1518), ("Q6_K", 1288)],
)
def test_forms_without_an_equal_in_the_engine_take_8_bits(quantization, weights):
    assert ready_quantized("m.gguf", quantization, 1000).weights == pytest.approx(weights, abs=1)


def test_without_measures_the_cache_is_not_counted():
    plan = make_plan(quantized_here(GB, 0), None, machine(100 * GB), context_tokens=1000)
    assert (plan.kv_bytes_per_token, plan.needs[0].kv_cache) == (0, 0)
    assert plan.picked.choice.quantization == "none"
