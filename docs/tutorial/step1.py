import sys

import swim_threads

with swim_threads.open_node(name=sys.argv[1]) as node:
    print(f"{node.local.name} is at {node.local.address}", flush=True)
    members = node.wait_for_members(2)
    print("members:", ", ".join(member.name for member in members), flush=True)
    input()  # until you press Enter: one that leaves at once may be gone before the other looks
