"""The peer of the transcription benchmark: faster-whisper, one warm model, driven over standard input and output.

Started with the model's folder and the number of threads. Each line of input names a file of raw 32-bit float samples,
16 kHz mono; each line of output is a JSON object with the nanoseconds that transcribing took and the text. Reading the file
is not timed, and neither is Python's start.
"""

import json
import sys
import time

import faster_whisper
import numpy


def main() -> None:
    folder, threads = sys.argv[1], int(sys.argv[2])
    model = faster_whisper.WhisperModel(
        folder, device="cpu", compute_type="int8", cpu_threads=threads, num_workers=1
    )
    say({"ready": faster_whisper.__version__})
    kept = {}
    for line in sys.stdin:
        path = line.rstrip("\n")
        if path not in kept:
            kept[path] = numpy.fromfile(path, dtype="<f4")
        begun = time.perf_counter_ns()
        segments, _ = model.transcribe(kept[path], language="en", beam_size=1)
        # The segments are decoded while they are asked for.
        text = " ".join(segment.text.strip() for segment in segments)
        say({"ns": time.perf_counter_ns() - begun, "text": text})


def say(what: dict) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
