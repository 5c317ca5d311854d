-- Six roles, each with the rights that its commands need and no others. Run it after `migrate`, and again after
-- each update of schedsync, as a superuser, or as the owner of the tables with CREATEROLE:
--
--   psql --dbname shop --single-transaction --file postgresql.sql
--   GRANT schedsync_apply TO shop_pipeline;
--
--   schedsync_read     plan, status, list, why, history, drift, snapshot, import database, and doctor, which names
--                      the rights that are missing
--   schedsync_operate  pause, resume and run, and everything of schedsync_read
--   schedsync_apply    apply, agent, ledger and doctor --fix, and everything of schedsync_read
--   schedsync_alarms   drift that sends alarms (SCHEDSYNC_NOTIFY), and everything of schedsync_read
--   schedsync_beat     celery beat --scheduler schedsync.beat:Scheduler
--   schedsync_worker   celery worker, if the application calls `track_runs` for `overlap: skip`
--
-- `migrate` needs the owner of the tables.

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'schedsync_read', 'schedsync_operate', 'schedsync_apply', 'schedsync_alarms', 'schedsync_beat', 'schedsync_worker'
  ] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    END IF;
  END LOOP;
END $$;

-- read
GRANT SELECT ON
  django_migrations,
  django_celery_beat_clockedschedule, django_celery_beat_crontabschedule, django_celery_beat_intervalschedule,
  django_celery_beat_periodictask, django_celery_beat_periodictasks, django_celery_beat_solarschedule,
  schedsync_appliedfiles, schedsync_applyfailure, schedsync_applylock, schedsync_beat, schedsync_beatcounters,
  schedsync_beatreport, schedsync_breakglass, schedsync_claim,
  schedsync_environmentbinding, schedsync_fullpause, schedsync_historyname, schedsync_journalsegment,
  schedsync_leaderlock, schedsync_lease, schedsync_managedschedule, schedsync_monitor, schedsync_openrun,
  schedsync_pause, schedsync_removal, schedsync_rolledback, schedsync_rollout, schedsync_sendfailure,
  schedsync_sentalarm, schedsync_standingpause, schedsync_syncrun
TO schedsync_read;
GRANT schedsync_read TO schedsync_operate, schedsync_apply, schedsync_alarms, schedsync_beat;
-- Who edited a row, from the log of Django's admin. Without these rights nobody is named. The table of users has another
-- name in a project with its own model.
-- GRANT SELECT ON django_admin_log, django_content_type TO schedsync_read;
-- GRANT SELECT (id, username) ON auth_user TO schedsync_read;

-- operate
GRANT INSERT, UPDATE ON django_celery_beat_periodictasks, schedsync_applylock TO schedsync_operate;
GRANT UPDATE (enabled, last_run_at, date_changed) ON django_celery_beat_periodictask TO schedsync_operate;
GRANT UPDATE (applied_at) ON schedsync_managedschedule TO schedsync_operate;
GRANT INSERT, UPDATE, DELETE ON schedsync_pause, schedsync_standingpause TO schedsync_operate;
GRANT INSERT, UPDATE ON schedsync_fullpause TO schedsync_operate;
GRANT INSERT, DELETE ON schedsync_breakglass TO schedsync_operate;
GRANT INSERT ON schedsync_historyname, schedsync_syncrun TO schedsync_operate;
-- A pause mutes the monitors at the services.
GRANT UPDATE ON schedsync_monitor TO schedsync_operate;
-- How far a run of the past has come.
GRANT UPDATE (summary, changes) ON schedsync_syncrun TO schedsync_operate;

-- apply
GRANT INSERT, UPDATE, DELETE ON
  django_celery_beat_clockedschedule, django_celery_beat_crontabschedule, django_celery_beat_intervalschedule,
  django_celery_beat_periodictask, django_celery_beat_solarschedule,
  schedsync_appliedfiles, schedsync_applyfailure, schedsync_environmentbinding, schedsync_managedschedule,
  schedsync_monitor, schedsync_rolledback, schedsync_rollout
TO schedsync_apply;
GRANT INSERT, DELETE ON schedsync_pause, schedsync_removal TO schedsync_apply;
-- Schedules that were open for editing in the admin.
GRANT DELETE ON schedsync_breakglass TO schedsync_apply;
GRANT INSERT, UPDATE ON django_celery_beat_periodictasks, schedsync_applylock TO schedsync_apply;
GRANT INSERT ON schedsync_historyname, schedsync_syncrun TO schedsync_apply;
-- Records of the history that are older than SCHEDSYNC_HISTORY_KEEP, and the names in those of an older version.
GRANT DELETE ON schedsync_historyname, schedsync_syncrun TO schedsync_apply;
GRANT UPDATE (names) ON schedsync_syncrun TO schedsync_apply;
-- A standing pause that has ended.
GRANT DELETE ON schedsync_standingpause TO schedsync_apply;
-- Which of several agents acts.
GRANT INSERT, UPDATE ON schedsync_leaderlock, schedsync_lease TO schedsync_apply;

-- alarms
GRANT INSERT, UPDATE ON schedsync_sentalarm TO schedsync_apply, schedsync_alarms;

-- beat
GRANT INSERT, UPDATE, DELETE ON
  schedsync_beat, schedsync_beatcounters, schedsync_beatreport, schedsync_claim, schedsync_openrun, schedsync_sendfailure,
  schedsync_sentalarm
TO schedsync_beat;
GRANT INSERT, UPDATE ON
  schedsync_applylock, schedsync_leaderlock, schedsync_lease, django_celery_beat_periodictasks
TO schedsync_beat;
GRANT UPDATE ON django_celery_beat_periodictask TO schedsync_beat;
GRANT INSERT, DELETE ON schedsync_journalsegment TO schedsync_beat;
-- A pause that has ended.
GRANT DELETE ON schedsync_pause, schedsync_standingpause TO schedsync_beat;
GRANT INSERT ON schedsync_historyname, schedsync_syncrun TO schedsync_beat;
-- Which monitors it has muted and unmuted at the services.
GRANT UPDATE ON schedsync_monitor TO schedsync_beat;
-- Beat writes the schedules of CELERY_BEAT_SCHEDULE, and Celery's own `celery.backend_cleanup`.
GRANT INSERT ON django_celery_beat_periodictask TO schedsync_beat;
GRANT INSERT, UPDATE ON
  django_celery_beat_clockedschedule, django_celery_beat_crontabschedule, django_celery_beat_intervalschedule,
  django_celery_beat_solarschedule
TO schedsync_beat;

-- worker
GRANT SELECT, INSERT, UPDATE, DELETE ON schedsync_openrun TO schedsync_worker;
GRANT SELECT (id, name) ON django_celery_beat_periodictask TO schedsync_worker;

-- Tables that a Django older than 4.1 has made take their ids from sequences, which need a right of their own.
DO $$
DECLARE
  roles constant text := 'schedsync_operate, schedsync_apply, schedsync_beat';
  sequence text;
BEGIN
  FOR sequence IN
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relkind = 'S' AND pg_table_is_visible(c.oid)
      AND (c.relname LIKE 'schedsync\_%\_id\_seq' OR c.relname LIKE 'django\_celery\_beat\_%\_id\_seq')
  LOOP
    EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %s', sequence, roles);
  END LOOP;
END $$;
