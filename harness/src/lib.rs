//! A wind tunnel for DTLS flights.
