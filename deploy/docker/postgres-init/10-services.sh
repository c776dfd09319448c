#!/bin/sh
# Per service: a database, an owner role for `migrate`, and a runtime role with the least it needs.
# Runs once, on an empty volume. The same rights as deploy/local/provision.py gives.
set -eu

# The server itself has to end what a frozen process holds; that process could not.
limits="lock_timeout=1s idle_in_transaction_session_timeout=5s statement_timeout=30s"

make_role() { # name password
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=name="$1" --set=secret="$2" <<'SQL'
CREATE ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 100 PASSWORD :'secret';
SQL
}

for service in ingest loyalty offers notify; do
    upper=$(echo "$service" | tr '[:lower:]' '[:upper:]')
    owner_secret=$(printenv "${upper}_OWNER_PASSWORD")
    secret=$(printenv "${upper}_DB_PASSWORD")
    make_role "${service}_owner" "$owner_secret"
    make_role "$service" "$secret"
    for limit in $limits; do
        psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
            --command="ALTER ROLE $service SET ${limit%%=*} = '${limit#*=}'"
    done
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=service="$service" \
        --set=owner="${service}_owner" <<'SQL'
CREATE DATABASE :"service" OWNER :"owner";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"service";
SQL
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$service" \
        --set=service="$service" --set=owner="${service}_owner" <<'SQL'
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO :"owner";
GRANT USAGE ON SCHEMA public TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO :"service";
SQL
done
