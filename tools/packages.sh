# Finds and installs missing Debian packages. Sourced by the tools of this directory.

python=python3
if [ -f /etc/debian_version ]; then python=/usr/bin/python3; fi

# Print a line "PACKAGE|a command that succeeds if it is installed" for each argument.
package_tests() {
    local package
    for package in "$@"; do
        case $package in
            python3-venv) echo "$package|$python -c 'import ensurepip, venv'" ;;
            tgt) echo "$package|command -v tgtd tgtadm" ;;
            qemu-utils) echo "$package|command -v qemu-img qemu-nbd" ;;
            qemu-block-extra) echo "$package|ls /usr/lib/*/qemu/block-iscsi.so" ;;
            libiscsi-bin) echo "$package|command -v iscsi-ls" ;;
            e2fsprogs) echo "$package|command -v mkfs.ext4" ;;
            user-mode-linux) echo "$package|ls /usr/bin/linux.uml /usr/lib/uml/modules" ;;
            lvm2) echo "$package|command -v lvm" ;;
            thin-provisioning-tools) echo "$package|command -v thin_check" ;;
            gcc) echo "$package|command -v gcc" ;;
            libc6-dev) echo "$package|ls /usr/include/stdio.h" ;;
            python3-dev) echo "$package|ls /usr/include/python3*/Python.h" ;;
            pkg-config) echo "$package|command -v pkg-config" ;;
            libmariadb-dev) echo "$package|command -v mariadb_config" ;;
            kmod) echo "$package|command -v modprobe" ;;
            iproute2) echo "$package|command -v ip" ;;
            rabbitmq-server) echo "$package|ls /usr/lib/rabbitmq/bin/rabbitmq-server" ;;
            mariadb-server) echo "$package|command -v mariadbd mariadb-install-db" ;;
            galera-4) echo "$package|ls /usr/lib/galera/libgalera_smm.so" ;;
            haproxy|keepalived|rsync) echo "$package|command -v $package" ;;
            postgresql) echo "$package|ls /usr/lib/postgresql/*/bin/postgres" ;;
            *) echo "$package|dpkg -s $package" ;;
        esac
    done
}

# Print the missing packages, one per line. Needs no root if none is missing.
missing() {
    local package test
    package_tests "$@" | sort -u | while IFS='|' read -r package test; do
        PATH=$PATH:/usr/sbin:/sbin eval "$test" >/dev/null 2>&1 </dev/null || echo "$package"
    done
}

# Whether packages can be installed.
can_install() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null
}

# Install packages with apt-get without starting the services in them.
install_packages() {
    local guard=/usr/sbin/policy-rc.d kept= status=0 restore
    if [ -e "$guard" ]; then kept=$(mktemp -u "$guard.XXXXXX"); mv "$guard" "$kept"; fi
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
    restore="if [ -n '$kept' ]; then mv -f '$kept' '$guard'; else rm -f '$guard'; fi"
    trap "$restore" EXIT
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" || status=1
    trap - EXIT
    eval "$restore"
    return "$status"
}

# Run a command and show its progress: step "Description" COMMAND... Shows the output if the command fails.
step() {
    local text=$1 began=$SECONDS status=0 log watcher
    shift
    log=$(mktemp)
    watch_log "$text" "$log" &
    watcher=$!
    "$@" >"$log" 2>&1 || status=$?
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    [ ! -t 1 ] || printf '\r\033[K%-58s' "$text"
    echo " $((SECONDS - began)) s"
    [ "$status" -eq 0 ] || cat "$log" >&2
    rm -f "$log"
    return "$status"
}

# Show the description and the elapsed time: on a terminal with the last line of the log, otherwise with a dot each
# second.
watch_log() {
    local began=$SECONDS last
    printf '%-58s' "$1"
    # step ends this loop after the command; it also ends if the shell is killed.
    while sleep 1 && kill -0 $$ 2>/dev/null; do
        if [ -t 1 ]; then
            last=$(tail -c 400 "$2" 2>/dev/null | tr '\r' '\n' | grep . | tail -n 1 | cut -c 1-45) || last=
            printf '\r\033[K%-58s %d s  %s' "$1" $((SECONDS - began)) "$last"
        else
            printf .
        fi
    done
}
