#!/usr/bin/env bash
# compare.sh XLAT-IMG: runs command lines with qemu-img and with xlat-img and compares what they print and how they end.
# What must differ (sizes on the host, dates, identifiers) is left out. Ends with 77 where there is no qemu-img.
set -u
ours=$(realpath "$1")
command -v qemu-img >/dev/null && command -v qemu-io >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/theirs" "$work/ours"
count=0 wrong=0

plain() {
  sed -E 's/(qemu|xlat)-img/IMG/g; s/"(actual-size|date-n?sec|image-end-offset|cid|offset)": [0-9]+/"\1"/
    s/^disk size: .*//; s/20[0-9-]+ [0-9:]+/DATE/; s/^Image end offset.*//; s/cid: [0-9]+/cid/' "$1"
}
# Both, in folders of their own.
both() {
  count=$((count + 1))
  (cd "$work/theirs" && qemu-img "$@" >../theirs.raw 2>&1; echo "status $?" >>../theirs.raw)
  (cd "$work/ours" && "$ours" "$@" >../ours.raw 2>&1; echo "status $?" >>../ours.raw)
  plain "$work/theirs.raw" >"$work/theirs.txt"
  plain "$work/ours.raw" >"$work/ours.txt"
  diff "$work/theirs.txt" "$work/ours.txt" >"$work/difference" && return
  wrong=$((wrong + 1))
  echo "differs: $*"
  head -20 "$work/difference"
}
# Only how they end.
ends() {
  count=$((count + 1))
  (cd "$work/theirs" && qemu-img "$@" >/dev/null 2>&1)
  local theirs=$?
  (cd "$work/ours" && "$ours" "$@" >/dev/null 2>&1)
  local ended=$?
  [ $theirs = $ended ] && return
  wrong=$((wrong + 1))
  echo "ends with $ended, not $theirs: $*"
}
io() {
  (cd "$work/theirs" && qemu-io "$@" >/dev/null)
  (cd "$work/ours" && qemu-io "$@" >/dev/null)
}

both create -f qcow2 a.qcow2 10M
both create -f qcow2 -b a.qcow2 -F qcow2 b.qcow2
both create -f raw a.raw 10M
both create -f raw -o preallocation=full full.raw 1M
io -c 'write -P 3 64k 100k' b.qcow2
both snapshot -c first b.qcow2
both snapshot -l b.qcow2
for file in a.qcow2 b.qcow2 a.raw; do
  both info $file
  both info --output=json $file
  both info --backing-chain $file
  both info --backing-chain --output=json $file
  both check $file
done
both check --output=json b.qcow2
both map b.qcow2
both map --output=json b.qcow2
both measure -O qcow2 --size 10G
both measure -O qcow2 b.qcow2 --output=json
both measure -O raw b.qcow2
both compare a.qcow2 b.qcow2
both compare a.qcow2 a.raw
both compare -s a.qcow2 a.raw
both compare a.raw none
both resize a.qcow2 +5M
both resize a.qcow2 5M
both resize --shrink a.qcow2 5M
both compare a.qcow2 a.raw
both resize a.raw 20M
both resize -f raw a.raw +1M
both resize -f raw --shrink a.raw -- -1M
both rebase -b none b.qcow2
both rebase -u -b none b.qcow2
both rebase -u -b a.qcow2 -F qcow2 b.qcow2
both rebase -b '' b.qcow2
both commit b.qcow2
both rebase -u -b a.qcow2 -F qcow2 b.qcow2
both commit b.qcow2
both convert -O raw b.qcow2 c.raw
both compare b.qcow2 c.raw
both convert -c -O qcow2 c.raw packed.qcow2
both check packed.qcow2
both info packed.qcow2
both convert -O qcow2 -B a.qcow2 -F qcow2 b.qcow2 over.qcow2
both compare over.qcow2 b.qcow2
both convert -O qcow2 -l first b.qcow2 then.qcow2
both convert a.raw c.raw both.raw
both snapshot -a first b.qcow2
both snapshot -d first b.qcow2
both snapshot -l b.qcow2
both check b.qcow2
both create -f qcow2 -o compat=0.10 old.qcow2 5M
both info old.qcow2
both create -u -f qcow2 -b none -F raw orphan.qcow2 1M
both info orphan.qcow2
both map orphan.qcow2
both convert -O foo a.raw x
both convert a.raw
both convert -c -O raw a.raw x
both convert none x
both create -f qcow2 x
both create -f foo x 1M
both create x
both create
both create x abc
both create x 1000
both create q.raw 10E
both create -f qcow2 -o foo=1 x 1M
both create -f qcow2 -o cluster_size=1000 x 1M
both create -f qcow2 -b none x 1M
both create -f raw -b a.raw x 1M
both create -f qcow2 -o cluster_size=512 x 1T
both foo
both
both info none
both info
both info --foo
both info -f
both info --output=xx a.raw
both info -f qcow2 a.raw
both check -r foo a.qcow2
both check none
both resize a.raw
both snapshot -d none b.qcow2
both snapshot -a none b.qcow2
both snapshot -l a.raw
both snapshot -c x a.raw
both commit a.raw
for format in vmdk vdi vpc vhdx parallels "vmdk -o subformat=monolithicFlat" "vmdk -o subformat=twoGbMaxExtentSparse" \
  "vmdk -o subformat=twoGbMaxExtentFlat" "vmdk -o subformat=streamOptimized" "vpc -o subformat=fixed" \
  "vhdx -o subformat=fixed" "vdi -o static=on" "vpc -o force_size=on"; do
  name=${format%% *}
  # shellcheck disable=SC2086
  both create -f $format d.$name 10M
  both info -f $name d.$name
  both info -f $name --output=json d.$name
  ends check -f $name d.$name
  both resize -f $name d.$name 5M
  both snapshot -l d.$name
  # shellcheck disable=SC2086
  both convert -f raw -O $format c.raw e.$name
  both compare -f raw -F $name c.raw e.$name
  both create -f $name -o foo=1 x 1M
done
both create -f vmdk -b d.vmdk -F vmdk top.vmdk
both create -f vmdk -o subformat=twoGbMaxExtentSparse split.vmdk 5G
both info split.vmdk
both convert -c -O vmdk -o subformat=streamOptimized c.raw s.vmdk
both compare c.raw s.vmdk

echo "$count command lines, $wrong of them differ"
[ $wrong = 0 ]
