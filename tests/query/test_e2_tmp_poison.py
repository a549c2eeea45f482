import pytest
from tests.timeline.trail import *
from tests.query.conftest import *
from schemas.entry import TIMELINE_CODEC
CASES = {
 "received_at": lambda b: b.update(received_at=2**62),
 "received_at_neg": lambda b: b.update(received_at=-(2**62)),
 "partition": lambda b: b.update(partition=-5),
 "occurred": lambda b: b["entries"][0].update(occurred_at=2**62),
 "duration": lambda b: b["entries"][0].update(duration_ms=2**62),
 "dur_neg": lambda b: b["entries"][0].update(duration_ms=-1),
 "revision": lambda b: b["entries"][0].update(revision=-1),
 "kind": lambda b: b["entries"][0].update(kind="nonsense"),
 "id": lambda b: b["entries"][0].update(id="nonsense"),
 "status": lambda b: b["entries"][0].update(status="\x00"),
 "rule": lambda b: b["entries"][0].update(links=[link_row(rule="zzz", target_id="x")]),
 "idx": lambda b: b["snapshots"][0].update(index=-1),
 "event": lambda b: b["snapshots"][0].update(event="no json"),
 "socc": lambda b: b["snapshots"][0].update(occurred_at=-1),
}
@pytest.mark.parametrize("case", CASES)
def test_insert(store, case):
    t = Trail(store)
    b = t.batch(run_entry(1))
    b["snapshots"] = [snapshot_row(run_entry(1))]
    b["actor"]=b["actor_kind"]=b["key_id"]="x"
    CASES[case](b)
    d = TIMELINE_CODEC.decode(TIMELINE_CODEC.encode(b))
    t.insert(d)
