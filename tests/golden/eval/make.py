"""Writes knn.json: small feature sets and what weighted k-NN must say about them, by brute force in NumPy (float64) and
scikit-learn. Run: python tests/golden/eval/make.py (numpy 2, scikit-learn 1.7)."""
import json
import pathlib

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

TEMPERATURE = 0.07
KS = [1, 5, 20, 50]


def normalize(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def knn(gallery, gallery_labels, queries, query_labels, k, center, classes):
    """(top-1, top-5, predictions), straight from the definition: no shortcuts shared with the program under test."""
    gallery, queries = gallery.astype(np.float64), queries.astype(np.float64)
    if center:
        mean = gallery.mean(0)
        gallery, queries = gallery - mean, queries - mean
    similarity = normalize(queries) @ normalize(gallery).T
    predictions, first, first_five = [], 0, 0
    for row, label in zip(similarity, query_labels):
        nearest = np.argsort(-row, kind="stable")[:k]
        votes = np.zeros(classes)
        for j in nearest:
            votes[gallery_labels[j]] += np.exp(row[j] / TEMPERATURE)
        ranking = [c for c in np.argsort(-votes, kind="stable") if votes[c] > 0]
        predictions.append(int(ranking[0]))
        first += ranking[0] == label
        first_five += label in ranking[:5]
    return first / len(query_labels), first_five / len(query_labels), predictions


def main():
    rng = np.random.default_rng(3)
    classes, dim = 12, 7
    centers = rng.normal(size=(classes, dim))
    gallery_labels = rng.integers(0, classes, 120)
    query_labels = rng.integers(0, classes, 40)
    offset = 1.5  # a common offset, so that centering matters
    gallery = np.round(centers[gallery_labels] + 0.9 * rng.normal(size=(120, dim)) + offset, 2)
    queries = np.round(centers[query_labels] + 0.9 * rng.normal(size=(40, dim)) + offset, 2)
    cases = []
    for center in (False, True):
        for k in KS:
            top1, top5, predictions = knn(gallery, gallery_labels, queries, query_labels, k, center, classes)
            cases.append({"k": k, "center": center, "top1": float(top1), "top5": float(top5), "predictions": predictions})
    # A second opinion: scikit-learn's classifier with the same weights.
    for case in cases[:len(KS)]:
        sk = KNeighborsClassifier(case["k"], metric="cosine", algorithm="brute",
                                  weights=lambda d: np.exp((1 - d) / TEMPERATURE)).fit(gallery, gallery_labels)
        assert sk.predict(queries).tolist() == case["predictions"], case["k"]
    out = {"temperature": TEMPERATURE, "gallery": gallery.tolist(), "gallery_labels": gallery_labels.tolist(),
           "queries": queries.tolist(), "query_labels": query_labels.tolist(), "cases": cases}
    path = pathlib.Path(__file__).with_name("knn.json")
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size, [(c["k"], c["center"], c["top1"], c["top5"]) for c in cases])


main()
