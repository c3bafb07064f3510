#!/bin/sh
# Fills the corpora with the recordings that the tests use.
set -eu
cd "$(dirname "$0")"
fixtures=../crates/goobster-audio/tests/fixtures
mkdir -p corpus/audio_file corpus/ogg_opus corpus/opus_packet
find "$fixtures" -type f ! -name '*.md' -exec cp {} corpus/audio_file/ \;
cp "$fixtures"/*.opus corpus/ogg_opus/
# Packets are short enough that the fuzzer finds them by itself; a few bytes of each kind start it off.
printf '\012\002\170\001\002\003\004\005\006\007\010\011' > corpus/opus_packet/celt
printf '\012\002\010\001\002\003\004\005\006\007\010\011' > corpus/opus_packet/silk
printf '\004\002\003\003\001\002\004\000\000\000\000\000' > corpus/opus_packet/lost

# The rest: one small honest example each, from which the fuzzer goes on.
for target in whisper_package onnx_weights silero_weights ggml_model package registry_page voice_description wav_answer \
    transcription chat_stream spoken_text configuration; do
    mkdir -p "corpus/$target"
done
cp "$fixtures"/tone-*.wav corpus/wav_answer/
printf '{"files":[{"filename":"model-1.0.whl","url":"../../p/model-1.0.whl#sha256=00"}]}' > corpus/registry_page/json
printf '<a href="../../p/model-1.0.whl#sha256=00">model</a>' > corpus/registry_page/html
printf '{"text":"hello","language":"english","segments":[{"start":0.0,"end":1.5,"text":"hello","avg_logprob":-0.2,"no_speech_prob":0.01}]}' \
    > corpus/transcription/segments
printf '\005data: {"choices":[{"delta":{"content":"<think>no</think>Yes."},"finish_reason":null}]}\n\ndata: [DONE]\n\n' \
    > corpus/chat_stream/chunk
printf '\010data: {"error":{"message":"no"}}\r\n\r\n' > corpus/chat_stream/error
printf '\000Call +44 20 7946 0958 at 5:30 pm on 2026-01-02, it costs $3.50 (50%%)! https://example.org/a?b=c <@123> `code` \360\237\230\200' \
    > corpus/spoken_text/english
printf '[brain]\nurl = "http://localhost:11434/v1"\nmodel = "llama3"\n' > corpus/configuration/brain
printf '{"audio":{"sample_rate":22050},"espeak":{"voice":"en-us"},"phoneme_type":"espeak","inference":{"noise_scale":0.667,"length_scale":1,"noise_w":0.8},"phoneme_id_map":{"_":[0],"^":[1],"$":[2],"a":[14]},"num_symbols":256,"num_speakers":1}' \
    > corpus/voice_description/small
tmp=$(mktemp -d)
mkdir -p "$tmp/a" && echo text > "$tmp/a/b.txt" && echo text > "$tmp/model.bin"
(printf '\001'; tar -C "$tmp" -cz a model.bin) > corpus/package/tar
(cd "$tmp" && python3 -m zipfile -c z.zip a/b.txt model.bin) && (printf '\000'; cat "$tmp/z.zip") > corpus/package/wheel
rm -r "$tmp"
