"""The commands of `soloist`, one module for each kind. They import what they need when they run: help is quick."""
