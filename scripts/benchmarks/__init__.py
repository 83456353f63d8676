"""What scripts/bench measures, a file a section. rig.py owns what is started, figures.py what is made of
measured values, document.py the tables of docs/benchmarks.md."""
