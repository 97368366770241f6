//! Plugins that keep to the interface, and some that do not.
