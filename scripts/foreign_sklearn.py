"""scikit-learn's tests of metrics, recorded while they run: every call of a metric that the library has. See foreign.py."""

import inspect
from pathlib import Path

import numpy as np
import scipy.sparse
import sklearn
import sklearn.metrics
from sklearn.metrics import _classification, _ranking, _regression

from foreign_common import Suite, plain, words
from foreign_pytest import Recorder, run, short

SKLEARN = f"scikit-learn {sklearn.__version__}"
TESTS = Path(sklearn.__file__).parent / "metrics" / "tests"

# What tests/foreign can run, whole or in part. Of all other functions the file holds the names.
LABELS = """accuracy_score balanced_accuracy_score confusion_matrix f1_score hamming_loss precision_recall_fscore_support
    precision_score recall_score zero_one_loss""".split()
SCORES = "roc_auc_score top_k_accuracy_score".split()
NUMBERS = "mean_absolute_error mean_squared_error".split()
KNOWN = LABELS + SCORES + NUMBERS
MOST_NUMBERS = 600
MOST_CALLS = 8  # of one function in one test, whatever its parameters are


class NotRecorded(Exception):
    pass


def dense(value):
    if value is None:
        return None
    if scipy.sparse.issparse(value):
        value = value.toarray()
    try:
        found = np.asarray(value)
    except Exception as error:
        raise NotRecorded("of what NumPy does not take") from error
    if found.size > MOST_NUMBERS:
        raise NotRecorded("of many numbers")
    if found.dtype.kind not in "fiubUSO":
        raise NotRecorded(f"of {found.dtype}")
    return found


def real(value):
    if value is None:
        return None
    found = dense(value)
    if found.dtype.kind not in "fiub":
        raise NotRecorded(f"of {found.dtype}")
    return found.astype(np.float64) if found.dtype.kind == "f" else found


def by_class(args):
    """Labels, of any kind, as the numbers of their classes in sorted order, which is scikit-learn's."""
    y_true, other = dense(args.pop("y_true")), args.pop("y_pred", None)
    y_pred = dense(other) if other is not None else None
    if y_true.ndim == 2 and y_true.shape[1] > 1:
        if y_true.dtype.kind not in "fiub":
            raise NotRecorded(f"of {y_true.dtype}")
        return {"several": True}, {"y_true": y_true.astype(np.int64), "y_pred": None if y_pred is None else y_pred.astype(np.int64)}
    labels, pos_label = args.pop("labels", None), args.pop("pos_label", None)
    y_true, y_pred = y_true.ravel(), None if y_pred is None else y_pred.ravel()
    parts = [part.tolist() for part in (y_true, y_pred) if part is not None]
    parts += [] if labels is None else [dense(labels).ravel().tolist()]
    try:
        classes = sorted(set().union(*parts))
    except TypeError as error:
        raise NotRecorded("of labels that have no order") from error
    at = {label: i for i, label in enumerate(classes)}
    options = {"several": False, "classes": len(classes)}
    options["labels"] = None if labels is None else [at[label] for label in dense(labels).ravel().tolist()]
    options["pos_label"] = at.get(pos_label)
    index = lambda part: None if part is None else np.array([at[label] for label in part.tolist()], dtype=np.int64)
    return options, {"y_true": index(y_true), "y_pred": index(y_pred)}


class Sklearn(Recorder):
    def __init__(self):
        super().__init__()
        self.per_test = {}
        for name in sorted(set(sklearn.metrics.__all__)):
            function = getattr(sklearn.metrics, name)
            if inspect.isfunction(function) and function.__module__ in (m.__name__ for m in (_classification, _ranking, _regression)):
                wrapper = self.wrapped(function, lambda test, args, kwargs, result, f=function: self.heard(f, args, kwargs, result))
                for module in (sklearn.metrics, _classification, _ranking, _regression):
                    if hasattr(module, name):
                        setattr(module, name, wrapper)

    def heard(self, function, args, kwargs, result):
        test = short(self.test).split("[")[0]
        key = (test, function.__name__)
        self.per_test[key] = self.per_test.get(key, 0) + 1
        if function.__name__ not in KNOWN:
            self.calls.append((test, function.__name__, None, None))
            return
        given = inspect.signature(function).bind(*args, **kwargs)
        given.apply_defaults()
        # Tests change their arrays in place.
        copied = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in given.arguments.items()}
        self.calls.append((test, function.__name__, copied, result))


def sklearn_tests():
    recorder = Sklearn()
    files = [TESTS / f"test_{name}.py" for name in ("classification", "ranking", "regression")]
    run(files, recorder, f"--confcutdir={Path(sklearn.__file__).parent}", f"--rootdir={Path(sklearn.__file__).parent}")
    suite, kept, others = Suite("sklearn_metrics"), {}, {}
    for test, function, args, result in recorder.calls:
        if args is None:
            others[function] = others.get(function, 0) + 1
            continue
        if kept.get((test, function), 0) >= MOST_CALLS:
            continue
        try:
            weights = real(args.pop("sample_weight", None))
            if function in LABELS:
                options, tensors = by_class(args)
            elif function in SCORES:
                scores = real(args.pop("y_score"))
                options, tensors = by_class(args)
                tensors["y_score"] = scores
            else:
                options, tensors = {}, {key: real(args.pop(key)) for key in ("y_true", "y_pred")}
                multioutput = args.get("multioutput")
                if isinstance(multioutput, (list, np.ndarray)):
                    args["multioutput"] = "by weights"
            tensors["sample_weight"] = weights
            results = result if isinstance(result, tuple) else (result,)
            tensors |= {f"value.{i}": real(value) for i, value in enumerate(results) if value is not None}
        except NotRecorded:
            continue
        said = {key: value for key, value in args.items()
                if value != inspect.signature(getattr(sklearn.metrics, function)).parameters[key].default}
        options = plain({"function": function} | args | options)
        if not suite.is_new(options, tensors):
            continue
        number = kept[test, function] = kept.get((test, function), 0) + 1
        label = " ".join(filter(None, [words(said), "several_labels" if options.get("several") else "",
                                       "labels" if options.get("labels") is not None else "",
                                       "weights" if weights is not None else ""]))
        suite.add(f"{function}/{test}.{number}", "metric", SKLEARN, options, tensors, label)
    for function in sorted(others):
        suite.list(function, "all calls")
    return suite
