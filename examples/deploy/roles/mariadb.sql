-- Six roles, each with the rights that its commands need and no others. Run it as an administrator in the database of
-- the tables, after `migrate`, and again after each update of schedsync:
--
--   mariadb shop < mariadb.sql
--   GRANT schedsync_apply TO 'shop_pipeline'@'%';
--   SET DEFAULT ROLE schedsync_apply FOR 'shop_pipeline'@'%';
--
--   schedsync_read     plan, status, list, why, history, drift, snapshot, import database, and doctor, which names
--                      the rights that are missing
--   schedsync_operate  pause, resume and run, and everything of schedsync_read
--   schedsync_apply    apply, agent, ledger and doctor --fix, and everything of schedsync_read
--   schedsync_alarms   drift that sends alarms (SCHEDSYNC_NOTIFY), and everything of schedsync_read
--   schedsync_beat     celery beat --scheduler schedsync.beat:Scheduler
--   schedsync_worker   celery worker, if the application calls `track_runs` for `overlap: skip`
--
-- `migrate` needs the rights to create and alter tables.

CREATE ROLE IF NOT EXISTS
  schedsync_read, schedsync_operate, schedsync_apply, schedsync_alarms, schedsync_beat, schedsync_worker;

-- read
GRANT SELECT ON django_migrations TO schedsync_read;
GRANT SELECT ON django_celery_beat_clockedschedule TO schedsync_read;
GRANT SELECT ON django_celery_beat_crontabschedule TO schedsync_read;
GRANT SELECT ON django_celery_beat_intervalschedule TO schedsync_read;
GRANT SELECT ON django_celery_beat_periodictask TO schedsync_read;
GRANT SELECT ON django_celery_beat_periodictasks TO schedsync_read;
GRANT SELECT ON django_celery_beat_solarschedule TO schedsync_read;
GRANT SELECT ON schedsync_appliedfiles TO schedsync_read;
GRANT SELECT ON schedsync_applyfailure TO schedsync_read;
GRANT SELECT ON schedsync_applylock TO schedsync_read;
GRANT SELECT ON schedsync_beat TO schedsync_read;
GRANT SELECT ON schedsync_beatcounters TO schedsync_read;
GRANT SELECT ON schedsync_beatreport TO schedsync_read;
GRANT SELECT ON schedsync_breakglass TO schedsync_read;
GRANT SELECT ON schedsync_claim TO schedsync_read;
GRANT SELECT ON schedsync_environmentbinding TO schedsync_read;
GRANT SELECT ON schedsync_fullpause TO schedsync_read;
GRANT SELECT ON schedsync_historyname TO schedsync_read;
GRANT SELECT ON schedsync_journalsegment TO schedsync_read;
GRANT SELECT ON schedsync_leaderlock TO schedsync_read;
GRANT SELECT ON schedsync_lease TO schedsync_read;
GRANT SELECT ON schedsync_managedschedule TO schedsync_read;
GRANT SELECT ON schedsync_monitor TO schedsync_read;
GRANT SELECT ON schedsync_openrun TO schedsync_read;
GRANT SELECT ON schedsync_pause TO schedsync_read;
GRANT SELECT ON schedsync_removal TO schedsync_read;
GRANT SELECT ON schedsync_rolledback TO schedsync_read;
GRANT SELECT ON schedsync_rollout TO schedsync_read;
GRANT SELECT ON schedsync_sendfailure TO schedsync_read;
GRANT SELECT ON schedsync_sentalarm TO schedsync_read;
GRANT SELECT ON schedsync_standingpause TO schedsync_read;
GRANT SELECT ON schedsync_syncrun TO schedsync_read;
GRANT schedsync_read TO schedsync_operate;
GRANT schedsync_read TO schedsync_apply;
GRANT schedsync_read TO schedsync_alarms;
GRANT schedsync_read TO schedsync_beat;
-- Who edited a row, from the log of Django's admin. Without these rights nobody is named. The table of users has another
-- name in a project with its own model.
-- GRANT SELECT ON django_admin_log TO schedsync_read;
-- GRANT SELECT ON django_content_type TO schedsync_read;
-- GRANT SELECT (id, username) ON auth_user TO schedsync_read;

-- operate
GRANT INSERT, UPDATE ON django_celery_beat_periodictasks TO schedsync_operate;
GRANT INSERT, UPDATE ON schedsync_applylock TO schedsync_operate;
GRANT INSERT, UPDATE ON schedsync_fullpause TO schedsync_operate;
GRANT INSERT, DELETE ON schedsync_breakglass TO schedsync_operate;
GRANT UPDATE (enabled, last_run_at, date_changed) ON django_celery_beat_periodictask TO schedsync_operate;
GRANT UPDATE (applied_at) ON schedsync_managedschedule TO schedsync_operate;
GRANT INSERT, UPDATE, DELETE ON schedsync_pause TO schedsync_operate;
GRANT INSERT, UPDATE, DELETE ON schedsync_standingpause TO schedsync_operate;
GRANT INSERT ON schedsync_historyname TO schedsync_operate;
GRANT INSERT ON schedsync_syncrun TO schedsync_operate;
-- A pause mutes the monitors at the services.
GRANT UPDATE ON schedsync_monitor TO schedsync_operate;
-- How far a run of the past has come.
GRANT UPDATE (summary, changes) ON schedsync_syncrun TO schedsync_operate;

-- apply
GRANT INSERT, UPDATE, DELETE ON django_celery_beat_clockedschedule TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON django_celery_beat_crontabschedule TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON django_celery_beat_intervalschedule TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON django_celery_beat_periodictask TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON django_celery_beat_solarschedule TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON schedsync_appliedfiles TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON schedsync_applyfailure TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON schedsync_environmentbinding TO schedsync_apply;
GRANT DELETE ON schedsync_breakglass TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON schedsync_managedschedule TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON schedsync_monitor TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON schedsync_rolledback TO schedsync_apply;
GRANT INSERT, UPDATE, DELETE ON schedsync_rollout TO schedsync_apply;
GRANT INSERT, DELETE ON schedsync_pause TO schedsync_apply;
GRANT INSERT, DELETE ON schedsync_removal TO schedsync_apply;
GRANT INSERT, UPDATE ON django_celery_beat_periodictasks TO schedsync_apply;
GRANT INSERT, UPDATE ON schedsync_applylock TO schedsync_apply;
GRANT INSERT ON schedsync_historyname TO schedsync_apply;
GRANT INSERT ON schedsync_syncrun TO schedsync_apply;
-- Records of the history that are older than SCHEDSYNC_HISTORY_KEEP, and the names in those of an older version.
GRANT DELETE ON schedsync_historyname TO schedsync_apply;
GRANT DELETE ON schedsync_syncrun TO schedsync_apply;
GRANT UPDATE (names) ON schedsync_syncrun TO schedsync_apply;
-- A standing pause that has ended.
GRANT DELETE ON schedsync_standingpause TO schedsync_apply;
-- Which of several agents acts.
GRANT INSERT, UPDATE ON schedsync_leaderlock TO schedsync_apply;
GRANT INSERT, UPDATE ON schedsync_lease TO schedsync_apply;

-- alarms
GRANT INSERT, UPDATE ON schedsync_sentalarm TO schedsync_apply;
GRANT INSERT, UPDATE ON schedsync_sentalarm TO schedsync_alarms;

-- beat
GRANT INSERT, UPDATE, DELETE ON schedsync_beat TO schedsync_beat;
GRANT INSERT, UPDATE, DELETE ON schedsync_beatcounters TO schedsync_beat;
GRANT INSERT, UPDATE, DELETE ON schedsync_beatreport TO schedsync_beat;
GRANT INSERT, UPDATE, DELETE ON schedsync_claim TO schedsync_beat;
GRANT INSERT, UPDATE, DELETE ON schedsync_openrun TO schedsync_beat;
GRANT INSERT, UPDATE, DELETE ON schedsync_sendfailure TO schedsync_beat;
GRANT INSERT, UPDATE, DELETE ON schedsync_sentalarm TO schedsync_beat;
GRANT INSERT, UPDATE ON schedsync_applylock TO schedsync_beat;
GRANT INSERT, UPDATE ON schedsync_leaderlock TO schedsync_beat;
GRANT INSERT, UPDATE ON schedsync_lease TO schedsync_beat;
GRANT INSERT, UPDATE ON django_celery_beat_periodictasks TO schedsync_beat;
GRANT UPDATE ON django_celery_beat_periodictask TO schedsync_beat;
GRANT INSERT, DELETE ON schedsync_journalsegment TO schedsync_beat;
-- A pause that has ended.
GRANT DELETE ON schedsync_pause TO schedsync_beat;
GRANT DELETE ON schedsync_standingpause TO schedsync_beat;
GRANT INSERT ON schedsync_historyname TO schedsync_beat;
GRANT INSERT ON schedsync_syncrun TO schedsync_beat;
-- Which monitors it has muted and unmuted at the services.
GRANT UPDATE ON schedsync_monitor TO schedsync_beat;
-- Beat writes the schedules of CELERY_BEAT_SCHEDULE, and Celery's own `celery.backend_cleanup`.
GRANT INSERT ON django_celery_beat_periodictask TO schedsync_beat;
GRANT INSERT, UPDATE ON django_celery_beat_clockedschedule TO schedsync_beat;
GRANT INSERT, UPDATE ON django_celery_beat_crontabschedule TO schedsync_beat;
GRANT INSERT, UPDATE ON django_celery_beat_intervalschedule TO schedsync_beat;
GRANT INSERT, UPDATE ON django_celery_beat_solarschedule TO schedsync_beat;

-- worker
GRANT SELECT, INSERT, UPDATE, DELETE ON schedsync_openrun TO schedsync_worker;
GRANT SELECT (id, name) ON django_celery_beat_periodictask TO schedsync_worker;
