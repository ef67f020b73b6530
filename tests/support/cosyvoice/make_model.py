"""Makes a model directory that the real CosyVoice 2 runtime loads: right files, right shapes, random weights.

Run by the interpreter of CosyVoice's environment: ``python make_model.py DIR WORKER``. It imports nothing of this
project but the stand-ins for parts of that environment, from the worker script at WORKER.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

SEED = 20_261_121
HIDDEN = 32
SPEECH_TOKENS = 6561
MEL_BINS, FBANK_BINS, SPEAKER_SIZE = 128, 80, 192
#: Logit of the end token. Random weights would end an utterance once in 6564 tokens; with this it is among the 25 that
#: are drawn from, and an utterance ends about a second after its shortest length.
END_LOGIT = 3.3

#: The model part of the official example configuration (examples/libritts/cosyvoice2/conf), with small sizes. The
#: encoder of the flow has its 512 channels written into the code.
CONFIG = """\
__set_seed1: !apply:random.seed [1986]
__set_seed2: !apply:numpy.random.seed [1986]
__set_seed3: !apply:torch.manual_seed [1986]

sample_rate: 24000
llm_input_size: 32
llm_output_size: 32
spk_embed_dim: 192
qwen_pretrain_path: ''
token_frame_rate: 25
token_mel_ratio: 2

llm: !new:cosyvoice.llm.llm.Qwen2LM
    llm_input_size: !ref <llm_input_size>
    llm_output_size: !ref <llm_output_size>
    speech_token_size: 6561
    length_normalized_loss: True
    lsm_weight: 0
    mix_ratio: [5, 15]
    llm: !new:cosyvoice.llm.llm.Qwen2Encoder
        pretrain_path: !ref <qwen_pretrain_path>
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1

flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec
    input_size: 512
    output_size: 80
    spk_embed_dim: !ref <spk_embed_dim>
    output_type: 'mel'
    vocab_size: 6561
    input_frame_rate: !ref <token_frame_rate>
    only_mask_loss: True
    token_mel_ratio: !ref <token_mel_ratio>
    pre_lookahead_len: 3
    encoder: !new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder
        output_size: 512
        attention_heads: 8
        linear_units: 64
        num_blocks: 1
        dropout_rate: 0.1
        positional_dropout_rate: 0.1
        attention_dropout_rate: 0.1
        normalize_before: True
        input_layer: 'linear'
        pos_enc_layer_type: 'rel_pos_espnet'
        selfattention_layer_type: 'rel_selfattn'
        input_size: 512
        use_cnn_module: False
        macaron_style: False
        use_dynamic_chunk: True
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM
        in_channels: 240
        n_spks: 1
        spk_emb_dim: 80
        cfm_params: !new:omegaconf.DictConfig
            content:
                sigma_min: 1e-06
                solver: 'euler'
                t_scheduler: 'cosine'
                training_cfg_rate: 0.2
                inference_cfg_rate: 0.7
                reg_loss_type: 'l1'
        estimator: !new:cosyvoice.flow.decoder.CausalConditionalDecoder
            in_channels: 320
            out_channels: 80
            channels: [64]
            dropout: 0.0
            attention_head_dim: 16
            n_blocks: 1
            num_mid_blocks: 1
            num_heads: 2
            act_fn: 'gelu'
            static_chunk_size: !ref <token_frame_rate> * <token_mel_ratio>
            num_decoding_left_chunks: 2

hift: !new:cosyvoice.hifigan.generator.HiFTGenerator
    in_channels: 80
    base_channels: 32
    nb_harmonics: 8
    sampling_rate: !ref <sample_rate>
    nsf_alpha: 0.1
    nsf_sigma: 0.003
    nsf_voiced_threshold: 10
    upsample_rates: [8, 5, 3]
    upsample_kernel_sizes: [16, 11, 7]
    istft_params:
        n_fft: 16
        hop_len: 4
    resblock_kernel_sizes: [3, 7, 11]
    resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    source_resblock_kernel_sizes: [7, 7, 11]
    source_resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    lrelu_slope: 0.1
    audio_limit: 0.99
    f0_predictor: !new:cosyvoice.hifigan.f0_predictor.ConvRNNF0Predictor
        num_class: 1
        in_channels: 80
        cond_channels: 32

get_tokenizer: !name:cosyvoice.tokenizer.tokenizer.get_qwen_tokenizer
    token_path: !ref <qwen_pretrain_path>
    skip_special_tokens: True
allowed_special: 'all'
feat_extractor: !name:matcha.utils.audio.mel_spectrogram
    n_fft: 1920
    num_mels: 80
    sampling_rate: !ref <sample_rate>
    hop_size: 480
    win_size: 1920
    fmin: 0
    fmax: 8000
    center: False
"""


def main(target: Path, worker: Path) -> None:
    spec = importlib.util.spec_from_file_location("cosyvoice_worker", worker)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.mend_environment()
    target.mkdir(parents=True)
    (target / "cosyvoice2.yaml").write_text(CONFIG, encoding="utf-8")
    _write_language_model(target / "CosyVoice-BlankEN")
    _write_onnx(target)
    _write_weights(target)


def _write_language_model(folder: Path) -> None:
    """Qwen2 with a byte-level vocabulary and no merges: a byte is a token."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer
    from transformers.models.qwen2.tokenization_qwen2 import bytes_to_unicode

    folder.mkdir()
    vocabulary = {symbol: number for number, symbol in enumerate(bytes_to_unicode().values())}
    vocabulary["<|endoftext|>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = Qwen2Tokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(SEED)
    config = Qwen2Config(
        vocab_size=512,  # 257 and the special tokens that CosyVoice adds
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        bos_token_id=vocabulary["<|endoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
    )
    Qwen2ForCausalLM(config).save_pretrained(str(folder))


def _write_onnx(target: Path) -> None:
    """Two graphs with the released files' inputs and outputs, whose answers depend on what they are given."""
    import numpy
    from onnx import TensorProto, helper, numpy_helper, save

    draw = numpy.random.default_rng(SEED)

    def constant(name: str, values: object) -> object:
        return numpy_helper.from_array(numpy.asarray(values), name)

    tokens = helper.make_graph(
        [
            helper.make_node("AveragePool", ["feats"], ["slow"], kernel_shape=[4], strides=[4]),
            helper.make_node("Transpose", ["slow"], ["rows"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["rows", "weights"], ["projected"]),
            helper.make_node("Abs", ["projected"], ["positive"]),
            helper.make_node("Cast", ["positive"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Mod", ["whole", "size"], ["codes"]),
            helper.make_node("ReduceSum", ["codes", "last"], ["flat"], keepdims=0),
            # the length is an input of the released graph: it must be used
            helper.make_node("Sub", ["feats_length", "feats_length"], ["zero"]),
            helper.make_node("Cast", ["flat"], ["small"], to=TensorProto.INT32),
            helper.make_node("Add", ["small", "zero"], ["tokens"]),
        ],
        "speech_tokenizer",
        [
            helper.make_tensor_value_info("feats", TensorProto.FLOAT, [1, MEL_BINS, "frames"]),
            helper.make_tensor_value_info("feats_length", TensorProto.INT32, [1]),
        ],
        [helper.make_tensor_value_info("tokens", TensorProto.INT32, [1, "quarter"])],
        [
            constant("weights", (1000 * draw.standard_normal((MEL_BINS, 1))).astype(numpy.float32)),
            constant("size", numpy.array(SPEECH_TOKENS, dtype=numpy.int64)),
            constant("last", numpy.array([2], dtype=numpy.int64)),
        ],
    )
    speaker = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["feats"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("ReduceMax", ["feats"], ["peak"], axes=[1], keepdims=0),
            helper.make_node("Add", ["mean", "peak"], ["summary"]),
            helper.make_node("MatMul", ["summary", "weights"], ["embedding"]),
        ],
        "campplus",
        [helper.make_tensor_value_info("feats", TensorProto.FLOAT, [1, "frames", FBANK_BINS])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, SPEAKER_SIZE])],
        [constant("weights", draw.standard_normal((FBANK_BINS, SPEAKER_SIZE)).astype(numpy.float32))],
    )
    for name, graph in (("speech_tokenizer_v2", tokens), ("campplus", speaker)):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        save(model, str(target / f"{name}.onnx"))


def _write_weights(target: Path) -> None:
    """State dicts of the modules that the configuration itself builds."""
    import torch
    from hyperpyyaml import load_hyperpyyaml

    blank = str(target / "CosyVoice-BlankEN")
    with (target / "cosyvoice2.yaml").open(encoding="utf-8") as file:
        built = load_hyperpyyaml(file, overrides={"qwen_pretrain_path": blank})
    torch.manual_seed(SEED)
    with torch.no_grad():
        decoder = built["llm"].llm_decoder
        decoder.weight.normal_(std=HIDDEN**-0.5)
        decoder.bias.zero_()
        decoder.bias[SPEECH_TOKENS] = END_LOGIT
    for name in ("llm", "flow", "hift"):
        torch.save(built[name].state_dict(), target / f"{name}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
