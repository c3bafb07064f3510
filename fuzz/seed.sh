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
