"""A model of a folder, guarded, cut to its output, and fed by the names it declares."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from millstream.models.encoders.encoder import Modality
from millstream.models.encoders.guard import operators, read_model
from millstream.models.encoders.outputs import find_output
from millstream.models.encoders.runtime import DYNAMIC, Array, Session
from millstream.models.encoders.spec import EncoderSpec
from millstream.models.encoders.tower import cut_to, input_names, output_names
from millstream.models.errors import EncoderRefused

Role = Literal["ids", "mask", "types", "positions", "pixels", "wave", "features", "longer"]
NAMES: Final[Mapping[Role, tuple[str, ...]]] = {
    "ids": ("input_ids",),
    "mask": ("attention_mask",),
    "types": ("token_type_ids",),
    "positions": ("position_ids",),
    "pixels": ("pixel_values",),
    "wave": ("waveform", "input_values"),
    "features": ("input_features",),
    "longer": ("is_longer",),
}
ROLES: Final[Mapping[Modality, tuple[tuple[Role, ...], tuple[Role, ...]]]] = {
    "text": (("ids",), ("mask", "types", "positions")),
    "image": (("pixels",), ()),
    "audio": (("wave", "features"), ("longer",)),
}
"""Of each modality: one of these must be an input, and these may be."""
DTYPES: Final[Mapping[str, np.dtype[np.generic]]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(bool)": np.dtype(np.bool_),
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model that runs, and what it is fed."""

    session: Session
    sha256: str  # of its file
    output: str
    inputs: Mapping[Role, str]
    alone: bool  # each item by itself: rows of one run would depend on one another

    def run(self, feed: Mapping[Role, Array]) -> Array:
        """Return the output; what the model does not declare is not fed."""
        return self.session.run(
            self.output,
            {
                name: feed[role].astype(DTYPES[self.session.types[name]], copy=False)
                for role, name in self.inputs.items()
            },
        )


def open_model(
    folder: Path, spec: EncoderSpec, allowed: Collection[str] | None, threads: int
) -> Model:
    """Return the model of a spec. Raises EncoderRefused, OSError."""
    whole, sha256 = read_model(folder / spec.file, allowed)
    output = find_output(output_names(whole), spec.modality, spec.output, spec.tokens_first)
    part = cut_to(whole, output)
    inputs = _inputs(input_names(part), spec)
    session = Session(part.SerializeToString(), threads)
    for name in inputs.values():
        if session.types[name] not in DTYPES:
            raise EncoderRefused("wrong-input", f"input {name} is {session.types[name]}")
    fixed = session.shapes[next(iter(inputs.values()))][:1] == [1]
    alone = fixed or not operators(part).isdisjoint(DYNAMIC)
    return Model(session, sha256, output, inputs, alone)


def _inputs(declared: Collection[str], spec: EncoderSpec) -> dict[Role, str]:
    main, others = ROLES[spec.modality]
    found: dict[Role, str] = {}
    for role in (*main, *others):
        names = (spec.inputs[role],) if role in spec.inputs else NAMES[role]
        for name in names:
            if name in declared:
                found.setdefault(role, name)
    if not any(role in found for role in main):
        known = ", ".join(name for role in main for name in NAMES[role])
        raise EncoderRefused(
            "wrong-input",
            f"the model has no input {known}, it has {', '.join(declared)}; say in encoder.json "
            f'which it is: "inputs": {{"{main[0]}": "NAME"}}',
        )
    if strange := sorted(set(declared) - set(found.values())):
        raise EncoderRefused(
            "wrong-input",
            f"the model asks for {', '.join(strange)}, which is not known for {spec.modality}; "
            "export it without, or name its role in inputs of encoder.json",
        )
    return found
