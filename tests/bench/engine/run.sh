set -e
# As make would: the spec is written again only where params.json is newer, so a second run is the engine alone.
[ graph.toml -nt params.json ] || python3 graph_toml.py
exec "${DATAFLOW:-dataflow}" run graph.toml --store store
