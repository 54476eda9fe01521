#!/bin/sh
# Makes sure that there is a Chromium for the tests of the page.
set -eu
for browser in chromium chromium-browser google-chrome; do
    if command -v "$browser" >/dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null
else
    echo "The tests of the page need Chromium. Install it (Debian: apt-get install chromium) and try again." >&2
    exit 1
fi
