"""What a Hugging Face ONNX export says of itself, read out of its own files.

Read are `config.json`, `preprocessor_config.json`, `tokenizer.json`, `1_Pooling/config.json`,
`sentence_bert_config.json`, `config_sentence_transformers.json` and which model files are there.
What they do not say has the family's habit; `encoder.json` beside them overrides all of it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from millstream.models.encoders.encoder import Modality
from millstream.models.encoders.spec import EncoderSpec, MelFeatures, Pooling, decode_file
from millstream.models.errors import EncoderRefused

TOWERS: Final[Mapping[Modality, tuple[str, ...]]] = {
    "text": ("text_model",),
    "image": ("vision_model",),
    "audio": ("audio_model",),
}
VARIANTS: Final = ("", "_fp16", "_quantized", "_int8", "_uint8")
PADDED: Final = ("siglip", "siglip2")  # trained with padding to the full length
DEFAULT_TOKENS: Final = 256
TOKENS_MAX: Final = 512

Config = Mapping[str, object]


def read_export(folder: Path, modality: Modality) -> EncoderSpec:
    """Return the spec of one modality of an export. Raises EncoderRefused, OSError."""
    file = model_file(folder, modality)
    if file is None:
        raise EncoderRefused(
            "bad-config",
            f"{folder} has no model for {modality}: looked for onnx/model.onnx, model.onnx and "
            f"{TOWERS[modality][0]}.onnx",
        )
    config = _config(folder / "config.json")
    if modality == "text":
        return _text(folder, config, file)
    if modality == "image":
        return EncoderSpec(modality="image", file=file, pooling="cls")
    return _audio(folder, file)


def modalities(folder: Path) -> Iterator[Modality]:
    """Yield what an export can encode, by the files that are there."""
    model_type = str(_config(folder / "config.json").get("model_type", ""))
    prepared = _config(folder / "preprocessor_config.json")
    hears = "feature_size" in prepared or "sampling_rate" in prepared
    whole = _first(folder, ("model",)) is not None
    if model_file(folder, "text") and (folder / "tokenizer.json").exists():
        yield "text"
    if (_first(folder, TOWERS["image"]) or (whole and prepared)) and not hears:
        yield "image"
    if _first(folder, TOWERS["audio"]) or (whole and hears and model_type):
        yield "audio"


def model_file(folder: Path, modality: Modality) -> str | None:
    """Return the model file of a modality, relative to the folder; its tower before the whole."""
    return _first(folder, TOWERS[modality]) or _first(folder, ("model",))


def _first(folder: Path, stems: tuple[str, ...]) -> str | None:
    for stem in stems:
        for variant in VARIANTS:
            for place in ("onnx/", ""):
                name = f"{place}{stem}{variant}.onnx"
                if (folder / name).is_file():
                    return name
    return None


def _text(folder: Path, config: Config, file: str) -> EncoderSpec:
    model_type = str(config.get("model_type", ""))
    name = str(config.get("_name_or_path", "")).lower() or folder.name.lower()
    inner = config.get("text_config")
    text = inner if isinstance(inner, dict) else config
    positions = text.get("max_position_embeddings")
    default = 77 if model_type == "clip" else 64 if model_type in PADDED else DEFAULT_TOKENS
    said = _config(folder / "sentence_bert_config.json").get("max_seq_length")
    length = said if isinstance(said, int) else positions if inner else default
    if isinstance(positions, int) and isinstance(length, int):
        length = min(length, positions)
    length = length if isinstance(length, int) else default
    pad = text.get("pad_token_id", config.get("pad_token_id"))
    return EncoderSpec(
        modality="text",
        file=file,
        pooling=_pooling(folder, name),
        tokens_first=(folder / "1_Pooling" / "config.json").is_file(),
        prefix=_prefix(folder, name),
        max_length=max(2, min(length, TOKENS_MAX)),
        pad_to_max=model_type in PADDED,
        pad_id=pad if isinstance(pad, int) else 1 if model_type in PADDED else 0,
    )


def _pooling(folder: Path, name: str) -> Pooling:
    said = _config(folder / "1_Pooling" / "config.json")
    if said.get("pooling_mode_cls_token") or (not said and "bge" in name):
        return "cls"
    return "mean"


def _prefix(folder: Path, name: str) -> str:
    """Return what stands before a text: items are held against items, so e5's is `query: `."""
    said = _config(folder / "config_sentence_transformers.json")
    prompts = said.get("prompts")
    default = said.get("default_prompt_name")
    if isinstance(prompts, dict) and isinstance(default, str):
        return str(prompts.get(default, ""))
    return "query: " if "e5-" in name else ""


def _audio(folder: Path, file: str) -> EncoderSpec:
    """Return the spec of CLAP, or of a model that reads waves when it declares no mel bands."""
    said = _config(folder / "preprocessor_config.json")

    def number(key: str, default: float) -> float:
        value = said.get(key, default)
        return float(value) if isinstance(value, int | float) else default

    bands = int(number("feature_size", 64))
    window_s = number("max_length_s", 10.0)
    return EncoderSpec(
        modality="audio",
        file=file,
        pooling="mean",
        sample_rate=int(number("sampling_rate", 48_000)),
        window_s=window_s,
        hop_s=window_s,
        repeat_short=True,
        features=None
        if bands == 1
        else MelFeatures(
            mels=bands,
            fft=int(number("fft_window_size", number("n_fft", 1024))),
            hop=int(number("hop_length", 480)),
            low_hz=number("frequency_min", 50),
            high_hz=number("frequency_max", 14_000),
        ),
    )


def _config(path: Path) -> Config:
    """Return a JSON object, empty when the file is not there."""
    return decode_file(path, dict[str, object]) if path.is_file() else {}
