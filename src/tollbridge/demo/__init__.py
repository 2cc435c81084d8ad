"""The demonstration: a scriptable pretend vendor and the run behind `tollbridge demo`."""
