# Tells the stages from derivative-maker's trace and live-build's messages: prints `@@stage NAME`
# before the line that begins one. Between two of them it runs `RECORD NAME`, which keeps what the
# finished one made, for the ledger.

BEGIN { current = "sanity" } # begun by the entry

function enter(name) {
    if (name == current) return
    if (system(record " " current " </dev/null") != 0) failed = 1
    current = name
    print "@@stage " name
    fflush()
}

/^\+.*INFO: BEGIN: dist_build_one_build_step_current: / {
    if (/\/1200_/) enter("prepare")
    else if (/\/1300_/) enter("cowbuilder")
    else if (/\/1400_/) enter("local-dependencies")
    else if (/\/2100_/) enter("packages")
    else if (/\/2800_/) enter("chroot")
}
/^P: Begin building root filesystem image/ { enter("squashfs") }
/^P: Begin creating manifest/ { enter("iso") }

{ print; fflush() }

END { exit failed }
