#!/usr/bin/env bash
# Trains a network for digits, one for a table of classes and one for a table of numbers, and looks at their reports, and at the live page
# of the first, in a real Chromium. `cargo xtask report` runs it. Chromium and playwright-core are installed where they are missing.
#
#     tests/report/run.sh [SHOTS]      keeps screenshots in the folder SHOTS
#
# MAPSTO names a command that is built already, CHROMIUM a browser.
set -euo pipefail
shots=${1:+$(realpath -m "$1")}
cd "$(dirname "$0")/../.."
place=target/report
mkdir -p "$place"
runs=$(mktemp -d)
trap 'kill "${training:-}" 2> /dev/null || true; rm -rf "$runs"' EXIT

quietly() { "$@" > "$runs/log" 2>&1 || { tail -n 30 "$runs/log"; echo "FAILED: $*" >&2; exit 1; }; }

if [ -z "${CHROMIUM:-}" ]; then
    CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
fi
if [ -z "$CHROMIUM" ] || ! command -v npm > /dev/null; then
    apt=apt-get
    [ "$(id -u)" -eq 0 ] || apt="sudo apt-get"
    quietly $apt update -qq
    quietly $apt install -y -qq --no-install-recommends chromium nodejs npm
    CHROMIUM=${CHROMIUM:-$(command -v chromium)}
fi
export CHROMIUM
cp tests/report/package.json tests/report/look.mjs "$place/"
(cd "$place" && quietly npm install --no-audit --no-fund --no-package-lock --ignore-scripts)

if [ -z "${MAPSTO:-}" ]; then
    cargo build --release --locked --quiet -p mapsto-cli
    MAPSTO=target/release/mapsto
fi
quietly "$MAPSTO" train examples/tabular.toml --train.out "$runs/irises"
quietly "$MAPSTO" train examples/flats.toml --train.out "$runs/flats"
# Without a screen no browser is opened: the one that looks is told the address.
env -u DISPLAY -u WAYLAND_DISPLAY "$MAPSTO" train examples/mnist_fast.toml --epochs "${EPOCHS:-4}" --train.out "$runs/mnist" --open > "$runs/training" 2>&1 &
training=$!
address=
for _ in $(seq 600); do
    address=$(sed -n 's/^live *//p' "$runs/training")
    [ -z "$address" ] || break
    kill -0 "$training" 2> /dev/null || break
    sleep 0.1
done
[ -n "$address" ] || { cat "$runs/training"; echo "FAILED: the training says no address" >&2; exit 1; }
node "$place/look.mjs" --live "$address" ${shots:+--shots "$shots"}
wait "$training" || { cat "$runs/training"; echo "FAILED: the training" >&2; exit 1; }
node "$place/look.mjs" "$runs/mnist" "$runs/irises" "$runs/flats" ${shots:+--shots "$shots"}
