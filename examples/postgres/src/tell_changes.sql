-- Tells of every change of a table, whoever makes it: SELECT tell_changes('people', 'id', 'person').
--
-- What is told, on the channel `changes`, when the transaction commits: "person 42" for each row, by its key as it
-- was and as it is; "person" for all of them, where they are more than a thousand, were truncated, or have a key that
-- is too long for a notification (8000 bytes). Other columns can be told as well: SELECT tell_changes('people', 'team',
-- 'team') says which teams lost or won somebody.

CREATE OR REPLACE FUNCTION tell_changed_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kind CONSTANT text := TG_ARGV[0];
    was_there CONSTANT text := format('SELECT %I::text FROM was_there', TG_ARGV[1]);
    now_there CONSTANT text := format('SELECT %I::text FROM now_there', TG_ARGV[1]);
    most CONSTANT integer := 1000;
    keys text[] := ARRAY[''];
BEGIN
    -- One look at all rows of a statement, so that a million of them are one notification.
    IF TG_OP <> 'TRUNCATE' THEN
        EXECUTE format(
            'SELECT ARRAY(SELECT DISTINCT coalesce(key, %L) FROM (%s) rows (key) LIMIT %s)',
            '',
            CASE TG_OP
                WHEN 'INSERT' THEN now_there
                WHEN 'DELETE' THEN was_there
                ELSE was_there || ' UNION ALL ' || now_there
            END,
            most + 1
        ) INTO keys;
    END IF;
    IF cardinality(keys) > most
        OR EXISTS (SELECT FROM unnest(keys) k WHERE k = '' OR octet_length(kind || ' ' || k) > 7999)
    THEN
        PERFORM pg_notify('changes', kind);
    ELSE
        PERFORM pg_notify('changes', kind || ' ' || k) FROM unnest(keys) k;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tell_changes(watched regclass, key name, kind text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    event text;
    tables text;
    named name;
BEGIN
    IF kind !~ '^[^ ]{1,40}$' THEN
        RAISE 'a kind is a short word, not %', quote_literal(kind);
    END IF;
    FOR event, tables IN VALUES
        ('INSERT', 'REFERENCING NEW TABLE AS now_there'),
        ('UPDATE', 'REFERENCING OLD TABLE AS was_there NEW TABLE AS now_there'),
        ('DELETE', 'REFERENCING OLD TABLE AS was_there'),
        ('TRUNCATE', '')
    LOOP
        named := format('tell_%s_%s', kind, lower(event));
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', named, watched);
        EXECUTE format(
            'CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION tell_changed_rows(%L, %L)',
            named, event, watched, tables, kind, key);
        -- Also where a session says that it replicates (session_replication_role).
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', watched, named);
    END LOOP;
    -- Better here than in the first INSERT.
    EXECUTE format('SELECT %I FROM %s LIMIT 0', key, watched);
END $$;
