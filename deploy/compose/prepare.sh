#!/bin/sh
# Makes what compose.yaml expects beside itself: secrets/ (key file, database password) and state/.
# Run it once, as root or as the user who is to own them (RUN_AS in .env). Never replaces a secret.
set -eu
umask 077
here=$(dirname "$0")
run_as=${RUN_AS:-10001:10001}
secrets=$here/secrets
state=$here/state

random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }

mkdir -p "$secrets" "$state/caddy" "$state/mail"
# Bind mounts are reached whatever this folder allows; other users of this machine are not let in.
chmod 700 "$secrets" "$state"

if [ ! -e "$secrets/postgres_password" ]; then
    password=$(random 24 | tr '+/' '-_')
    # Read by PostgreSQL's own user, hence by all who get past the folder.
    (umask 022 && printf '%s' "$password" >"$secrets/postgres_password")
    printf 'postgres:5432:tollbridge:tollbridge:%s\n' "$password" >"$secrets/pgpass"
fi
if [ ! -e "$secrets/tollbridge.keys" ]; then
    printf '{"pepper": "%s", "encryption_keys": {"first": "%s"}, "current_key_id": "first"}\n' \
        "$(random 32)" "$(random 32)" >"$secrets/tollbridge.keys"
fi
if [ "$(id -u)" = 0 ]; then
    chown "$run_as" "$secrets/tollbridge.keys" "$secrets/pgpass" "$state/caddy" "$state/mail"
fi
echo "secrets in $secrets; keep a copy of tollbridge.keys in a safe place, apart from backups"
