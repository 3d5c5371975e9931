#!/bin/sh
# Runs a command on the last commit in a clean root: a minimal Debian with nothing but git and make, made by debootstrap
# and removed again. Arguments: the release (bookworm, trixie), the architecture or "", the command. Needs root; the
# root's mounts live in a namespace of their own, and end with it.
set -eu
release=$1 architecture=$2 command=$3

if [ "$(id -u)" -ne 0 ]; then
    echo "A clean root needs to be made as root." >&2
    exit 1
fi
sh .ci/deps debootstrap git
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)

root=$(mktemp -d "${TMPDIR:-/tmp}/webpubsub-root.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM

echo "Making a clean root of $release${architecture:+ ($architecture)} in $root."
debootstrap --variant=minbase --include=ca-certificates,git,make ${architecture:+--arch="$architecture"} \
    "$release" "$root" "$mirror" >"$root.log" 2>&1 || { cat "$root.log" >&2; exit 1; }
rm -f "$root.log"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
git clone -q . "$root/lua-webpubsub"

cat >"$root/command" <<END
export HOME=/root LC_ALL=C.UTF-8 CI=true
cd /lua-webpubsub
$command
END
unshare --mount --pid --fork sh -c "
    mount -t proc proc '$root/proc' && mount --rbind /sys '$root/sys' && mount -t tmpfs tmpfs '$root/tmp' && mount -t tmpfs tmpfs '$root/dev' &&
    for device in null zero full random urandom tty; do touch '$root/dev/'\$device; mount --bind /dev/\$device '$root/dev/'\$device; done &&
    mkdir '$root/dev/pts' '$root/dev/shm' && mount -t devpts -o newinstance,ptmxmode=666 devpts '$root/dev/pts' &&
    ln -s pts/ptmx '$root/dev/ptmx' && ln -s /proc/self/fd '$root/dev/fd' && chmod 1777 '$root/dev/shm' &&
    exec chroot '$root' ${architecture:+setarch $([ "$architecture" = i386 ] && echo i386 || uname -m)} sh /command"
