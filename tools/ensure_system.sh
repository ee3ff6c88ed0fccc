#!/bin/sh
# Ensure the programs that the tests need beside Python: `sh tools/ensure_system.sh browser nginx node npx postgres redis`.
# Run by root on Debian or Ubuntu, it installs missing programs with apt-get; otherwise it fails with one line.
set -u
here=$(dirname "$0")
python=${VENV:-.venv}/bin/python

has_browser() { "$python" "$here/find_browser.py" >/dev/null 2>&1; }
# Debian's folder for nginx is not on every user's PATH.
has_nginx() { command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; }
has_node() { node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null; }
has_postgres() { "$python" "$here/find_postgres.py" >/dev/null 2>&1; }
has_redis() {
  "${REDIS_SERVER:-redis-server}" --version 2>/dev/null | grep -Eq 'v=([7-9]|[1-9][0-9])\.'
}
has_npx() { has_node && command -v npx >/dev/null; }

apt_is_ours() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
apt_install() {
  apt_is_ours || return 1
  echo "Installing $* (apt-get)"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  if ! { apt-get update && apt-get install --yes --no-install-recommends "$@"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
  fi
  rm -f "$log"
}
give_up() { echo "error: $1" >&2; exit 1; }

ensure_browser() {
  # A wrong CHROMIUM must be corrected by the user: do not install another browser.
  if ! has_browser && [ -z "${CHROMIUM:-}" ]; then
    apt_install chromium fonts-dejavu-core
    # Ubuntu's package only points to a snap, which containers cannot run.
    has_browser || { apt_is_ours && "$python" -m playwright install --with-deps chromium; }
  fi
  "$python" "$here/find_browser.py" >/dev/null || exit 1
}
ensure_node() {
  has_node || apt_install nodejs
  has_node || give_up "Node.js 18 or newer is missing: install it (Debian 12, Ubuntu 24.04 and newer: apt-get install nodejs)."
}
ensure_npx() {
  ensure_node
  has_npx || apt_install npm
  has_npx || give_up "npx is missing: install it (Debian/Ubuntu: apt-get install npm)."
}
ensure_postgres() {
  # If DATABASE_URL names a server, no local programs are needed.
  case ${DATABASE_URL:-} in postgres://* | postgresql://*) return ;; esac
  has_postgres || install_postgres
  "$python" "$here/find_postgres.py" >/dev/null || exit 1
}
install_postgres() {
  # Programs only: by default the package creates a cluster on port 5432, and starts it.
  settings=/etc/postgresql-common/createcluster.conf
  apt_install postgresql-common && cp "$settings" "$settings.before" || return
  sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' "$settings"
  apt_install postgresql
  mv "$settings.before" "$settings"
}

ensure_nginx() {
  has_nginx || apt_install_unstarted nginx
  has_nginx || give_up "nginx is missing: install it (Debian/Ubuntu: apt-get install nginx)."
}

ensure_redis() {
  has_redis || apt_install_unstarted redis-server
  has_redis || give_up "Redis 7 or newer is missing: install it (Debian/Ubuntu: apt-get install redis-server), or set REDIS_SERVER to its path."
}
apt_install_unstarted() {
  # The program only: by default the package starts a server on the standard port.
  apt_is_ours || return
  policy=/usr/sbin/policy-rc.d
  [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes; }
  apt_install "$@"
  [ -z "${made:-}" ] || rm -f "$policy"
}

for thing in "$@"; do
  case $thing in
    browser) ensure_browser ;;
    nginx) ensure_nginx ;;
    node) ensure_node ;;
    npx) ensure_npx ;;
    postgres) ensure_postgres ;;
    redis) ensure_redis ;;
    *) give_up "$0 knows browser, nginx, node, npx, postgres and redis, not $thing." ;;
  esac
done
