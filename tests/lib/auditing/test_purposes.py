from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops_assets.lib.auditing.purposes import LAWFUL_BASES, DataTerms, allowed, refuses, terms

TODAY = date(2026, 3, 10)
DEFAULTS = {"lawful_basis": "contract", "purpose": "support, training", "licence": "own", "region": "EU"}
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "lawful_basis": st.sampled_from(["", *LAWFUL_BASES]),
            "purpose": st.sampled_from(["", "training", "support,training", "analytics"]),
            "licence": st.sampled_from(["", "CC-BY-4.0"]),
            "region": st.sampled_from(["", "US"]),
            "retain_until": st.sampled_from(["", "2026-01-01", "2027-01-01"]),
        }
    ),
    max_size=6,
)


def test_an_empty_tag_is_the_use_cases_default_and_without_one_nothing_is_allowed():
    assert allowed({}, "training", TODAY, DEFAULTS) is None
    assert allowed({}, "training", TODAY, {}) == "no lawful basis"
    assert allowed({"lawful_basis": "consent"}, "training", TODAY, {}) == "purpose training is not allowed"
    assert allowed({"purpose": "support"}, "training", TODAY, DEFAULTS) == "purpose training is not allowed"


def test_a_row_may_be_used_on_its_last_day_and_not_after():
    row = {"retain_until": "2026-03-10"}
    assert allowed(row, "training", TODAY, DEFAULTS) is None
    assert "2026-03-10" in (allowed(row, "training", date(2026, 3, 11), DEFAULTS) or "")


@pytest.mark.parametrize("row", [{"retain_until": "10.3.2026"}, {"lawful_basis": "because"}])
def test_tags_that_cannot_be_read_are_named_with_their_row(row):
    with pytest.raises(ValueError, match="row r1"):
        allowed({"row_id": "r1", **row}, "training", TODAY, DEFAULTS)
    with pytest.raises(ValueError, match="no tag called colour"):
        allowed({}, "training", TODAY, {"colour": "red"})


def test_terms_are_what_every_row_allows():
    found = terms(
        [
            {"purpose": "support,training", "retain_until": "2027-01-01"},
            {"purpose": "training,analytics", "licence": "CC-BY-4.0", "retain_until": "2026-12-31"},
            {},
        ],
        DEFAULTS,
    )
    assert found.purposes == ("training",)
    assert found.licences == ("CC-BY-4.0", "own")
    assert found.regions == ("EU",)
    assert found.retain_until == date(2026, 12, 31)
    assert found.rows == 3
    assert DataTerms.model_validate(found.model_dump(mode="json")) == found


def test_a_row_without_a_basis_leaves_no_purpose():
    found = terms([{"lawful_basis": "consent", "purpose": "training"}, {"purpose": "training"}], {})
    assert found.purposes == ()
    assert refuses(found, "training", TODAY)


@pytest.mark.slow
@given(ROWS, ROWS, ROWS)
def test_merging_is_associative_and_commutative_and_agrees_with_the_rows(a, b, c):
    x, y, z = (terms(rows, DEFAULTS) for rows in (a, b, c))
    assert x.merge(y) == y.merge(x)
    assert x.merge(y).merge(z) == x.merge(y.merge(z)) == terms(a + b + c, DEFAULTS)
    assert x.merge(DataTerms()) == x


@pytest.mark.slow
@given(ROWS, st.sampled_from(["training", "support", "analytics"]))
def test_terms_refuse_exactly_what_some_row_does_not_allow(rows, purpose):
    some = any(allowed(row, purpose, TODAY, DEFAULTS) is not None for row in rows)
    assert bool(refuses(terms(rows, DEFAULTS), purpose, TODAY)) == some


def test_licences_and_regions_that_a_use_does_not_accept_are_named():
    found = terms([{"licence": "CC-BY-NC-4.0", "region": "US"}, {}], DEFAULTS)
    assert refuses(found, "training", TODAY) == []
    reasons = refuses(found, "training", TODAY, licences=["own"], regions=["EU", "US"])
    assert reasons == ["licence not accepted: CC-BY-NC-4.0"]
    assert terms([{}], {"lawful_basis": "consent", "purpose": "training"}).licences == ("unknown",)
