"""Sensors: each module decides one thing from recorded state; the jobs do it. One cause starts one run."""

from sensors.alert_on_trouble import alert_on_trouble
from sensors.ingest_on_new_data import ingest_on_new_data
from sensors.retrain_on_drift import retrain_on_drift
from sensors.roll_back_on_regression import roll_back_on_regression

SENSORS = [retrain_on_drift, ingest_on_new_data, alert_on_trouble, roll_back_on_regression]
