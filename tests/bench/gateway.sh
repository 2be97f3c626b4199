#!/usr/bin/env bash
# Compares the gateway with nginx's `proxy_cache` and with Varnish, in front of the same origin, in turns: requests
# a second and the 99th percentile of hits in memory. Installs nginx, Varnish and wrk if it may (as root, with
# apt-get); what is not there is left out, with a message.
#
#   ./tests/bench/gateway.sh
#   ROUNDS=1 LENGTH=3 ./tests/bench/gateway.sh     a quick look
#   SENDFILE=on ./tests/bench/gateway.sh           nginx with sendfile; to be tried, whichever is better there
#
# Twice: with one worker each, all on one core, which is left to them; and as each comes, on all cores. Varnish has
# a thread for each connection, so one core is what one worker means for it. wrk runs on the other cores, or beside.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=../packages
. tests/packages
# shellcheck source=../processes
. tests/processes

rounds=${ROUNDS:-5}
length=${LENGTH:-5}
sizes=${SIZES:-1024 65536}
connections=${CONNECTIONS:-64}
threads=${THREADS:-2}
modes=${MODES:-one default}
sendfile=${SENDFILE:-off}
PATH=$PATH:/usr/sbin

# missing PROGRAM…: those that there are not.
missing() {
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null || echo "$name"
    done
}

if [ -n "$(missing nginx varnishd wrk)" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "tests/bench/gateway: installing what is missing of nginx, Varnish and wrk"
    # Their own services are not to be started.
    RUNLEVEL=1 install_packages nginx-light varnish wrk || true
fi
for name in $(missing wrk curl); do
    echo "tests/bench/gateway: SKIPPED: there is no $name here"
    exit 0
done
servers="gateway"
for name in nginx varnishd; do
    if [ -n "$(missing "$name")" ]; then
        echo "tests/bench/gateway: SKIPPED: $name is not here"
    else
        servers="$servers ${name%d}"
    fi
done

gateway=$(built gateway bin gateway --release)
origin=$(built gateway example origin --release)
[ -x "$gateway" ] || fail "cargo built no gateway"
[ -x "$origin" ] || fail "cargo built no origin"

# In memory, so that nginx's files are too.
files=$work/cache
if [ -w /dev/shm ]; then
    files=$(mktemp -d /dev/shm/cache.XXXXXX)
    trap 'rm -rf "$files"; cleanup' EXIT
fi

origin_port=$(free_port)
"$origin" "127.0.0.1:$origin_port" 2>"$work/origin.log" &
remember $!
wait_for 10 "the origin" curl --silent --fail "http://127.0.0.1:$origin_port/1"

# Port of each server, and what it is held to.
declare -A port
held=()

start_gateway() {
    local workers=()
    [ "$1" = default ] || workers=(--workers 1)
    echo 'access_log = false' >"$work/gateway.toml"
    ${held[@]+"${held[@]}"} "$gateway" ${workers[@]+"${workers[@]}"} --listen "127.0.0.1:${port[gateway]}" \
        --origin "http://127.0.0.1:$origin_port" --config "$work/gateway.toml" 2>"$work/gateway.log" &
}

start_nginx() {
    local processes=1 user=""
    [ "$1" = one ] || processes=auto
    [ "$(id -u)" -ne 0 ] || user="user root;"
    rm -rf "${files:?}/nginx"
    mkdir -p "$files/nginx" "$work/nginx"
    cat >"$work/nginx.conf" <<CONF
$user
daemon off;
worker_processes $processes;
pid $work/nginx/pid;
error_log $work/nginx.log;
events { worker_connections 1024; }
http {
    access_log off;
    # As nginx comes. Where files in memory are sent slowly by the kernel, as in some sandboxes, on costs it nine
    # tenths of its throughput; elsewhere it may be ahead with it.
    sendfile $sendfile;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    proxy_cache_path $files/nginx levels=1:2 keys_zone=kept:10m inactive=1h use_temp_path=off;
    server {
        listen 127.0.0.1:${port[nginx]};
        location / {
            proxy_pass http://127.0.0.1:$origin_port;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache kept;
            add_header X-Cache \$upstream_cache_status;
        }
    }
}
CONF
    ${held[@]+"${held[@]}"} nginx -p "$work/nginx" -c "$work/nginx.conf" >"$work/nginx.out" 2>&1 &
}

start_varnish() {
    local pools=()
    [ "$1" = default ] || pools=(-p thread_pools=1)
    ${held[@]+"${held[@]}"} varnishd -F -j none -n "$work/varnish" -T none -s malloc,256m \
        -a "127.0.0.1:${port[varnish]}" -b "127.0.0.1:$origin_port" ${pools[@]+"${pools[@]}"} \
        >"$work/varnish.log" 2>&1 &
}

# is_hit SERVER HEAD
is_hit() {
    case $1 in
        gateway) grep -qi '^cache-status:.*;hit' <<<"$2" ;;
        nginx) grep -qi '^x-cache: HIT' <<<"$2" ;;
        # The request that it was fetched for is named, too.
        varnish) grep -qiE '^x-varnish: [0-9]+ [0-9]+' <<<"$2" ;;
    esac
}

# hits SERVER SIZE: asks twice; the second answer must come from memory.
hits() {
    local url="http://127.0.0.1:${port[$1]}/$2" head
    curl --silent --fail --output "$work/body" "$url" || fail "$1 does not answer for $2 bytes"
    [ "$(wc -c <"$work/body")" = "$2" ] || fail "$1 answers $2 bytes with $(wc -c <"$work/body")"
    head=$(curl --silent --dump-header - --output "$work/body" "$url")
    is_hit "$1" "$head" || fail "$1 does not answer $2 bytes from its cache: $head"
}

# run SERVER SIZE: requests a second, and the 99th percentile in milliseconds.
run() {
    ${beside[@]+"${beside[@]}"} wrk --latency -t "$threads" -c "$connections" -d "${length}s" \
        "http://127.0.0.1:${port[$1]}/$2" >"$work/wrk.out"
    if grep -qE 'Non-2xx|Socket errors' "$work/wrk.out"; then
        cat "$work/wrk.out" >&2
        fail "$1 did not answer all"
    fi
    awk '$1 == "Requests/sec:" { rate = $2 }
        $1 == "99%" {
            time = $2
            if (sub(/us$/, "", time)) time /= 1000
            else if (sub(/ms$/, "", time)) time += 0
            else if (sub(/s$/, "", time)) time *= 1000
        }
        END { printf "%.0f %.3f\n", rate, time }' "$work/wrk.out"
}

# median FILE COLUMN
median() {
    awk -v column="$2" '{ print $column }' "$1" | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}

stop() {
    local name
    for name in $servers; do
        kill "${pids[$name]}" 2>/dev/null || true
        wait "${pids[$name]}" 2>/dev/null || true
    done
}

# measure MODE: each server in turn, and another one first in each round.
measure() {
    local mode=$1 size name turn
    declare -A pids
    held=()
    beside=()
    if [ "$mode" = one ] && command -v taskset >/dev/null && [ "$(nproc)" -gt 1 ]; then
        held=(taskset -c 0)
        beside=(taskset -c "1-$(($(nproc) - 1))")
    fi
    for name in $servers; do
        port[$name]=$(free_port)
        "start_$name" "$mode"
        pids[$name]=$!
        remember $!
        wait_for 30 "$name" curl --silent --fail "http://127.0.0.1:${port[$name]}/1"
    done
    for size in $sizes; do
        for name in $servers; do
            hits "$name" "$size"
            : >"$work/$name.figures"
        done
        turn=$servers
        for _ in $(seq "$rounds"); do
            for name in $turn; do
                run "$name" "$size" >>"$work/$name.figures"
            done
            turn=$(xargs <<<"${turn#"${turn%% *}"} ${turn%% *}")
        done
        for name in $servers; do
            hits "$name" "$size"
            printf '%-8s %7s  %-8s %11s %9s\n' "$mode" "$size" "$name" \
                "$(median "$work/$name.figures" 1)" "$(median "$work/$name.figures" 2)"
        done
    done
    stop
}

echo "$(nproc) cores; $connections connections, $threads threads of wrk; the median of $rounds rounds of $length s"
echo "one: a worker each (gateway: --workers 1; nginx: worker_processes 1; varnish: thread_pools=1), on one core"
echo "default: gateway: a worker for each core; nginx: worker_processes auto; varnish: thread_pools=2"
printf '%-8s %7s  %-8s %11s %9s\n' workers bytes server requests/s "p99 (ms)"
for mode in $modes; do
    measure "$mode"
done
