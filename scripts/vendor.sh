#!/bin/sh
# Copies the pinned browser libraries into the source tree, each with its licence. Needs npm.
# Run it again after a version below has changed; nothing else fetches them.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# copy PACKAGE VERSION FILE FOLDER: one file of a package, and its LICENSE as FILE.LICENSE
copy() {
    package=$1 version=$2 file=$3 folder=$4
    (cd "$temporary" && npm pack --silent "$package@$version" >/dev/null)
    mkdir -p "$temporary/$package" "$folder"
    tar -xzf "$temporary/$package-$version.tgz" -C "$temporary/$package"
    name=$(basename "$file")
    cp "$temporary/$package/package/$file" "$folder/$name"
    cp "$temporary/$package/package/LICENSE" "$folder/$name.LICENSE"
}

static=$root/viewer/static/vendor
copy htmx.org 2.0.11 dist/htmx.min.js "$static"
copy idiomorph 0.8.0 dist/idiomorph-ext.min.js "$static"
copy axe-core 4.14.1 axe.min.js "$root/tests/browser/vendor"
