"""All figures of one catalogue, printed as they come and kept as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.discovery import indexing
from analysis.discovery.bench import catalogue, measures, over_api, over_http
from analysis.discovery.models import EmbeddingSpace
from analysis.management.commands.bench import machine


def measure_all(
    rows: int,
    folder: Path,
    *,
    queries: int,
    client_seconds: float,
    m: int | None,
    ef_construction: int | None,
    http: bool,
    say: Callable[[str], object],
) -> None:
    """Fill the database that is connected, build the index, measure, write ``figures.json``."""
    say(f"\n{rows:,} tracks on {machine()}")
    result: dict[str, Any] = {"rows": rows, "machine": machine(), "before": measures.load()}
    result["steps_s"] = catalogue.fill(rows, folder, say)
    result["index"] = _index(folder, m, ef_construction, say)
    result["bytes"] = measures.sizes()
    say(_sizes_line(result))
    truth = measures.Truth(rows, queries)
    result["half_keeps"] = measures.half_against_single(truth)
    say(f"  half precision keeps {result['half_keeps']:.1%} of single precision's ten nearest")
    say(f"  {'':<18}recall@10  worst   search p50   p95 ms   query p50   p95 ms   CPU ms")
    figures = []
    for figure in (*measures.by_share(truth), measures.by_genre(truth)):
        figures.append(figure.to_json())
        say(
            f"  {figure.name:<18}{figure.recall_at_10:9.3f}{figure.worst_recall:7.1f}"
            f"{figure.p50_ms:13.1f}{figure.p95_ms:9.1f}"
            f"{figure.query_p50_ms:12.1f}{figure.query_p95_ms:9.1f}{figure.cpu_ms:9.1f}"
        )
    result["search"] = figures
    result["clients"] = [measures.clients(truth, count, client_seconds) for count in (1, 8)]
    for line in result["clients"]:
        told = f"{line['searches_per_s']} searches/s, p95 {line['p95_ms']} ms"
        say(f"  {line['clients']} clients: {told}")
    result["memory_mb"] = round(measures.memory_mb(folder))
    if http:
        result["http"] = _http(truth, client_seconds, say)
        for key, every_s, pace in (
            ("api", 1.0, "each a call a second"),
            ("api_flat_out", 0.0, "each its next call at once"),
        ):
            result[key] = over_api.measure(max(client_seconds, 30.0), every_s=every_s)
            say(f"  the partners' interface, {over_api.CLIENTS} clients, {pace}")
            for name, line in result[key].items():
                say(f"    {name:<18}{line}")
    result["after"] = measures.load()
    result["measured_at"] = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    say(f"  database memory {result['memory_mb']} MB; load {result['after']['load_average']}")
    (folder / "figures.json").write_text(json.dumps(result, indent=2))


def _index(
    folder: Path, m: int | None, ef_construction: int | None, say: Callable[[str], object]
) -> dict[str, Any]:
    space = EmbeddingSpace.objects.get(model_version=catalogue.VERSION)
    wanted = {
        "m": m or indexing.M,
        "ef_construction": ef_construction or indexing.EF_CONSTRUCTION,
    }
    if space.indexed_at and any(space.index_facts.get(k) != v for k, v in wanted.items()):
        indexing.drop(space)
        space.refresh_from_db()
    if not indexing.is_built(space):
        say(f"  building the index, m {wanted['m']}, ef_construction {wanted['ef_construction']}")
        with measures.peak_memory(folder) as memory:
            indexing.build(space, **wanted)
        space.index_facts |= {"build_peak_mb": memory["peak_mb"], "load": measures.load()}
        space.save(update_fields=["index_facts"])
    return dict(space.index_facts)


def _sizes_line(result: dict[str, Any]) -> str:
    index, held = result["index"], result["bytes"]
    return (
        f"  index m {index['m']}, ef_construction {index['ef_construction']}: built in "
        f"{index['seconds']:.0f} s with {index.get('build_peak_mb', 0):.0f} MB, "
        f"{held['hnsw'] / 1e6:.0f} MB; table {held['table'] / 1e6:.0f} MB, "
        f"other indexes {held['other_indexes'] / 1e6:.0f} MB"
    )


def _http(truth: measures.Truth, seconds: float, say: Callable[[str], object]) -> dict[str, Any]:
    found = over_http.measure(truth, seconds)
    for name, line in found.items():
        say(f"  {name}: {line}")
    return found
