# Runs diffoscope on the pairs of files in the folders 1/, 2/, … of the current folder (in each a/ and
# b/ with a file of one name); $1: seconds for all of them. On stdout, a letter first:
#   v VERSION     t LINE OF THE TEXT     h LINE OF THE HTML     e LINE OF AN ERROR
#   = PAIR EXIT   after each; 124 or 137: out of time
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export TMPDIR=$tmp
echo "v $(diffoscope --version)"
end=$((SECONDS + $1))
for pair in $(ls | sort -n); do
    left=$((end - SECONDS))
    [ "$left" -gt 0 ] || exit 0
    name=$(ls "$pair/a")
    code=0
    (cd "$pair" && timeout --kill-after=5 "$left" diffoscope --no-progress \
        --exclude-directory-metadata=yes --max-diff-block-lines-saved=1000 \
        --max-text-report-size=262144 --max-report-size=1048576 \
        --text "$tmp/text" --html "$tmp/html" "a/$name" "b/$name") >"$tmp/errors" 2>&1 || code=$?
    for part in text html errors; do
        [ ! -f "$tmp/$part" ] || sed "s/^/${part:0:1} /" "$tmp/$part"
        rm -f "$tmp/$part"
    done
    echo "= $pair $code"
done
