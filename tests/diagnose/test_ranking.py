from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding
from hypocenter.diagnose.ranking import rank, tier
from hypocenter.diagnose.rule import Rule


def finding(rule="HC101", severity="error", fault="numerics", confidence=0.9, step=None, layer="fc"):
    return Finding(rule, "x", severity, fault, confidence, layer, "forward", None, f"{rule} {layer}", step=step)


def made(rule_code, explained=()):
    class Made(Rule):
        """A rule for one test."""

        code, name, fault, severity, summary = rule_code, "made", "unknown", "error", "Made."
        explains = explained

        def check(self, facts: Facts):
            return ()

    return Made()


def rules(**explains):
    return {code: made(code, explained) for code, explained in explains.items()}


def test_the_chain_of_causes():
    chain = [
        finding("HC105", fault="data"),
        finding("HC106", fault="initialization"),
        finding("HC204", fault="learning_rate"),
        finding("HC101"),
        finding("HC202", fault="architecture"),
        finding("HC301", fault="activation"),
        finding("HC402", fault="unknown"),
        finding("HC902", "note", "unknown"),
    ]
    assert [tier(each) for each in chain] == sorted({tier(each) for each in chain})


def test_a_cause_takes_its_consequences_as_evidence():
    cause, dead, curve = (
        finding("HC204", "warning", "learning_rate"),
        finding("HC301", fault="activation"),
        finding("HC402"),
    )
    ranked = rank([curve, dead, cause], rules(HC204=("HC3", "HC4"), HC301=(), HC402=()))
    assert [each.rule for each in ranked] == ["HC204"]
    assert ranked[0].severity == "error"  # the harm that the consequences show
    assert ranked[0].rank == 1
    assert [entry["rule"] for entry in ranked[0].evidence["also"]] == ["HC301", "HC402"]
    assert ranked[0].evidence["also"][0] == {"rule": "HC301", "layer": "fc", "message": "HC301 fc"}
    assert "also" not in cause.evidence


def test_what_nobody_explains_stays():
    ranked = rank([finding("HC301", fault="activation"), finding("HC101")], rules(HC101=("HC2",), HC301=()))
    assert [each.rule for each in ranked] == ["HC101", "HC301"]
    assert [each.rank for each in ranked] == [1, 2]


def test_severity_then_cause_then_confidence_then_step():
    findings = [
        finding("HC301", "note", "activation"),
        finding("HC105", "warning", "data"),
        finding("HC101", step=9, layer="late"),
        finding("HC101", step=2, layer="early"),
        finding("HC101", confidence=0.95, step=30, layer="sure"),
    ]
    ranked = rank(findings, rules(HC101=(), HC105=(), HC301=()))
    assert [each.layer for each in ranked] == ["sure", "early", "late", "fc", "fc"]
    assert [each.severity for each in ranked] == ["error", "error", "error", "warning", "note"]


def test_notes_are_never_absorbed():
    ranked = rank([finding("HC204", fault="learning_rate"), finding("HC302", "note")], rules(HC204=("HC3",), HC302=()))
    assert len(ranked) == 2


def test_absorbing_is_not_chained_away():
    """A consequence is taken by the first cause that explains it, also when a third finding explains both."""
    ranked = rank(
        [finding("HC402"), finding("HC204", fault="learning_rate"), finding("HC106", fault="initialization")],
        rules(HC106=("HC204",), HC204=("HC4",), HC402=()),
    )
    assert [each.rule for each in ranked] == ["HC106"]
    assert [entry["rule"] for entry in ranked[0].evidence["also"]] == ["HC204", "HC402"]
