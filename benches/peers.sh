#!/usr/bin/env bash
# Polls one fleet of loopback targets with haproxy, prometheus with its blackbox exporter, and
# poller, one after the other, and prints what a check costs each of them.
#
#   benches/peers.sh [haproxy] [prometheus] [poller]      (all three if none is named)
#
# TARGETS=1000 INTERVAL=1 SECONDS_MEASURED=60 WARM_UP=15 change the load; POLLER and FLEET name
# binaries that are built already. Debian's packages are installed when missing (root or sudo).
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
targets=${TARGETS:-1000}
interval=${INTERVAL:-1}
measured=${SECONDS_MEASURED:-60}
warm_up=${WARM_UP:-15}
built=${CARGO_TARGET_DIR:-target}/release
poller=${POLLER:-$built/poller}
fleet=${FLEET:-$built/examples/fleet}
peers=("$@")
[ ${#peers[@]} -gt 0 ] || peers=(haproxy prometheus poller)

work=$(mktemp -d "${TMPDIR:-/tmp}/peers.XXXXXX")
silencer=/usr/sbin/policy-rc.d
silenced=no

say() { printf '%s\n' "$*" >&2; }
fail() { say "peers: $*"; exit 1; }

# Ends those of the processes that this script has started and that still run.
stop_children() {
    local child
    for child in "$@"; do is_running "$child" && kill -TERM "$child"; done
    for child in "$@"; do
        for _ in $(seq 150); do is_running "$child" || break; sleep 0.1; done
        is_running "$child" && kill -KILL "$child"
        wait "$child" 2>/dev/null
    done
}

# A number that is no longer a child of ours may be anybody's by now.
is_running() { jobs -pr | grep -qx "$1"; }

clean_up() {
    trap - EXIT
    # shellcheck disable=SC2046
    stop_children $(jobs -pr)
    [ "$silenced" = no ] || as_root rm -f "$silencer"
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# Installs what is missing, without starting the services that the packages bring.
install_missing() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    if [ ! -e "$silencer" ]; then
        silenced=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$silencer" >/dev/null
        as_root chmod 755 "$silencer"
    fi
    as_root apt-get update -q >"$work/apt.log" 2>&1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
        "${missing[@]}" >>"$work/apt.log" 2>&1 ||
        fail "cannot install ${missing[*]}: $(tail -n 3 "$work/apt.log")"
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# User and system time of some processes together, in clock ticks.
ticks() {
    local process sum=0 fields
    for process in "$@"; do
        read -r -a fields < <(sed 's/.*) //' "/proc/$process/stat" 2>/dev/null) || return 1
        sum=$((sum + fields[11] + fields[12]))
    done
    echo "$sum"
}

# Resident memory of some processes together, in KiB.
memory() {
    local process sum=0 one
    for process in "$@"; do
        one=$(awk '/^VmRSS/ {print $2}' "/proc/$process/status") || return 1
        sum=$((sum + one))
    done
    echo "$sum"
}

# Checks that the fleet has answered so far: one yardstick for all.
answered() { curl -fsS "$statistics" | jq .answers; }

start_fleet() {
    # As many connections as this machine lets us have.
    ulimit -n "$(ulimit -Hn)"
    (cd "$work" && exec "$fleet" --targets "$targets" --interval "${interval}s") \
        >"$work/fleet.log" 2>&1 &
    for _ in $(seq 100); do
        statistics=$(sed -n 's/^figures: //p' "$work/fleet.log" 2>/dev/null)
        [ -z "$statistics" ] || break
        sleep 0.1
    done
    [ -n "$statistics" ] || fail "the fleet does not start: $(tail -n 3 "$work/fleet.log")"
    jq -r '.[].url' "$work/fleet.json" >"$work/urls"
}

# Waits in a way that a signal ends.
pause() {
    sleep "$1" &
    wait $!
}

# Measures the processes given after the name, which must be polling already, and stops them.
measure() {
    local name=$1 began cpu done_before used memory
    shift
    pause "$warm_up"
    done_before=$(answered)
    cpu=$(ticks "$@") || fail "$name has ended: $(tail -n 3 "$work/$name.log")"
    began=$(date +%s%N)
    pause "$measured"
    used=$(ticks "$@") || fail "$name has ended: $(tail -n 3 "$work/$name.log")"
    memory=$(memory "$@")
    echo "$name $((used - cpu)) $(($(answered) - done_before)) $(($(date +%s%N) - began)) $memory" \
        >>"$work/results"
    stop_children "$@"
}

start_haproxy() {
    {
        printf 'global\n    maxconn 4000\n    spread-checks 0\n'
        printf 'defaults\n    mode http\n    timeout connect 1s\n    timeout check 1s\n'
        printf '    timeout server 1s\n    timeout client 1s\n'
        # Without a listener haproxy does not start.
        printf 'frontend idle\n    bind unix@%s\n' "$work/haproxy.sock"
        printf '    default_backend fleet\nbackend fleet\n'
        printf '    option httpchk\n'
        printf '    http-check send meth GET uri / ver HTTP/1.1 hdr Host fleet hdr Connection close\n'
        awk -F/ -v every="$interval" \
            '{print "    server s" NR " " $3 " check inter " every "s"}' "$work/urls"
    } >"$work/haproxy.cfg"
    haproxy -db -q -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
    measure haproxy $!
}

start_prometheus() {
    local exporter exporter_port server
    exporter_port=$(free_port)
    jq '[{targets: [.[].url]}]' "$work/fleet.json" >"$work/targets.json"
    cat >"$work/blackbox.yml" <<YAML
modules:
  http_2xx:
    prober: http
    timeout: ${interval}s
    http:
      preferred_ip_protocol: ip4
YAML
    cat >"$work/prometheus.yml" <<YAML
global:
  scrape_interval: ${interval}s
  scrape_timeout: ${interval}s
scrape_configs:
  - job_name: fleet
    metrics_path: /probe
    params:
      module: [http_2xx]
    file_sd_configs:
      - files: ["$work/targets.json"]
    relabel_configs:
      - source_labels: [__address__]
        target_label: __param_target
      - source_labels: [__param_target]
        target_label: instance
      - target_label: __address__
        replacement: 127.0.0.1:$exporter_port
YAML
    prometheus-blackbox-exporter --config.file="$work/blackbox.yml" --log.level=error \
        --web.listen-address="127.0.0.1:$exporter_port" >"$work/blackbox.log" 2>&1 &
    exporter=$!
    prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
        --web.listen-address="127.0.0.1:$(free_port)" --log.level=warn \
        >"$work/prometheus.log" 2>&1 &
    server=$!
    measure prometheus "$server" "$exporter"
}

start_poller() {
    if [ ! -x "$poller" ]; then
        say "no $poller: cargo build --release builds it"
        return
    fi
    (cd "$work" && exec "$poller" --start --foreground --urls fleet.json --config fleet.toml \
        --data data) >"$work/poller.log" 2>&1 &
    sleep 1
    if ! is_running $!; then
        say "poller does not start: $(tail -n 3 "$work/poller.log")"
        return
    fi
    measure poller $!
}

# One line for each, and how poller compares.
report() {
    local tick
    tick=$(getconf CLK_TCK)
    echo "$targets targets, one check each every $interval s, for $measured s, on loopback"
    awk -v targets="$targets" -v every="$interval" -v tick="$tick" '
        BEGIN {
            form = "%-12s %12s %12s %10s %10s %10s\n"
            printf form, "", "cpu/check", "cpu", "memory", "checks", "missed"
        }
        {
            seconds = $4 / 1e9
            wanted = int(targets * seconds / every)
            missed = wanted > $3 ? wanted - $3 : 0
            cost[$1] = $3 ? $2 / tick * 1e6 / $3 : 0
            printf form, $1, sprintf("%.0f us", cost[$1]),
                sprintf("%.1f %%", $2 / tick / seconds * 100),
                sprintf("%.1f MB", $5 * 1024 / 1e6), $3, missed
        }
        END {
            for (peer in cost)
                if (peer != "poller" && cost["poller"] && cost[peer])
                    printf "poller / %s: %.2f\n", peer, cost["poller"] / cost[peer]
        }' "$work/results"
}

tools=(curl:curl jq:jq)
for peer in "${peers[@]}"; do
    case $peer in
        haproxy) tools+=(haproxy:haproxy) ;;
        prometheus)
            tools+=(prometheus:prometheus prometheus-blackbox-exporter:prometheus-blackbox-exporter)
            ;;
        poller) ;;
        *) fail "no peer is called $peer; there are haproxy, prometheus and poller" ;;
    esac
done
install_missing "${tools[@]}"
if [ -z "${FLEET:-}" ] || [ -z "${POLLER:-}" ]; then
    cargo build --release --bin poller --example fleet || fail "the build failed"
fi
fleet=$(realpath "$fleet") || fail "there is no fleet at $fleet"
poller=$(realpath -m "$poller")

start_fleet
touch "$work/results"
for peer in "${peers[@]}"; do
    say "measuring $peer for $measured s"
    "start_$peer"
done
[ -s "$work/results" ] || fail "nothing was measured"
report
