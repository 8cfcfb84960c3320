"""Makes cbpe_nannyml.json again: what NannyML's CBPE says about seeded rows. See README.md beside it."""

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float64]

FROZEN = Path(__file__).with_name("cbpe_nannyml.json")
REFERENCE_ROWS, CHUNK_ROWS, THRESHOLD = 20_000, 5_000, 0.5
# Each chunk's inputs: the exponent that shapes its true probabilities; 1.5 is the reference's.
CHUNKS = {"same": 1.5, "easier negatives": 3.0, "more positives": 0.7, "rare positives": 12.0}


def rows(exponent: float, n: int, seed: int) -> tuple[Column, npt.NDArray[np.int64]]:
    """Scores and labels: P(positive) = u^exponent, and a score that is its square root, so badly calibrated."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) ** exponent
    return np.sqrt(truth), (rng.random(n) < truth).astype(np.int64)


def reference() -> tuple[Column, npt.NDArray[np.int64]]:
    """The rows that the calibration is fitted on."""
    return rows(1.5, REFERENCE_ROWS, seed=20)


def chunks() -> dict[str, Column]:
    """The scores of each chunk, by its name in the frozen file."""
    return {name: rows(exponent, CHUNK_ROWS, seed=21 + i)[0] for i, (name, exponent) in enumerate(CHUNKS.items())}


def main() -> None:
    """Ask NannyML and freeze what it says."""
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"  # it calls home otherwise
    import nannyml  # type: ignore[import-not-found]  # only where the file is made, see README.md
    import pandas as pd  # type: ignore[import-untyped]  # comes with it

    def frame(score: Column) -> "pd.DataFrame":
        return pd.DataFrame({"score": score, "answer": (score >= THRESHOLD).astype(int)})

    score, label = reference()
    cbpe = nannyml.CBPE(
        problem_type="classification_binary", y_pred_proba="score", y_pred="answer", y_true="label",
        metrics=["roc_auc", "precision", "recall"], chunk_size=CHUNK_ROWS,
    )  # fmt: skip
    cbpe.fit(frame(score).assign(label=label))
    said = cbpe.estimate(pd.concat([frame(s) for s in chunks().values()])).filter(period="analysis").to_df()
    estimates = {
        name: {metric: float(said[metric, "value"].iloc[i]) for metric in ("roc_auc", "precision", "recall")}
        for i, name in enumerate(CHUNKS)
    }
    made_with = {name: version(name) for name in ("nannyml", "numpy", "pandas", "scikit-learn", "scipy")}
    made_with["python"] = sys.version.split()[0]
    frozen = {"made_with": made_with, "calibrated": bool(cbpe.needs_calibration), "estimates": estimates}
    FROZEN.write_text(json.dumps(frozen, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
