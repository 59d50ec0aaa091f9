"""Which moves are allowed, as a pure rule."""

from itertools import product

import pytest

from soloist.opportunities.model import (
    OPEN_STAGES,
    PROBABILITY,
    InvalidStageTransition,
    OpportunityClosed,
    OpportunityStage,
    OpportunityStatus,
    check_move,
)

AT = "2024-03-01T10:00:00.000Z"
EVERY_STATE = [
    *((stage, status) for stage, status in product(OPEN_STAGES, (OpportunityStatus.OPEN, OpportunityStatus.ON_HOLD))),
    (OpportunityStage.WON, OpportunityStatus.WON),
    (OpportunityStage.LOST, OpportunityStatus.LOST),
]


@pytest.mark.parametrize(("stage", "status"), EVERY_STATE)
@pytest.mark.parametrize("to", OpportunityStage)
def test_any_other_stage_can_be_reached_while_open_and_none_when_closed(
    stage: OpportunityStage, status: OpportunityStatus, to: OpportunityStage
) -> None:
    if status in (OpportunityStatus.WON, OpportunityStatus.LOST):
        with pytest.raises(OpportunityClosed):
            check_move(stage, status, AT, to)
    elif to is stage:
        with pytest.raises(InvalidStageTransition):
            check_move(stage, status, None, to)
    else:
        check_move(stage, status, None, to)


def test_refusal_of_a_move_names_what_is_allowed() -> None:
    with pytest.raises(InvalidStageTransition) as refused:
        check_move(OpportunityStage.PROPOSAL, OpportunityStatus.OPEN, None, OpportunityStage.PROPOSAL)
    assert refused.value.details == {
        "from": "PROPOSAL",
        "to": "PROPOSAL",
        "allowed": ["LEAD", "QUALIFIED", "NEGOTIATION", "WON", "LOST"],
    }


def test_every_stage_has_the_probability_of_the_document() -> None:
    assert PROBABILITY == {"LEAD": 10, "QUALIFIED": 25, "PROPOSAL": 50, "NEGOTIATION": 75, "WON": 100, "LOST": 0}
