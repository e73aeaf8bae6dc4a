/* SPDX-License-Identifier: Apache-2.0 */

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.AllocationPolicy;
import org.nd4j.linalg.api.memory.enums.DebugMode;
import org.nd4j.linalg.api.memory.enums.LearningPolicy;
import org.nd4j.linalg.api.memory.enums.LocationPolicy;
import org.nd4j.linalg.api.memory.enums.ResetPolicy;
import org.nd4j.linalg.api.memory.enums.SpillPolicy;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.cpu.nativecpu.workspace.CpuWorkspace;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Drives ND4J's workspaces at random, and prints the state of every workspace after each step. It runs once with ND4J's own
 * managers and once with the plug-in; the outputs are compared. Arguments: the first seed, how many, and perhaps "older": this ND4J
 * makes a mapped workspace larger than its file, or smaller, if a policy or a bound says so, which the plug-in does not.
 */
public final class Differential {
    private static final int STEPS = 150;
    private static final int WORKSPACES = 4;
    private static final int KEPT_ARRAYS = 6;

    private final Random random;
    private final boolean isOlder;
    private final int used;
    private final String prefix;
    private final WorkspaceConfiguration[] configurations = new WorkspaceConfiguration[WORKSPACES];
    private final Deque<MemoryWorkspace> scopes = new ArrayDeque<>();
    private final List<INDArray> arrays = new ArrayList<>();

    private Differential(long seed, boolean isOlder) {
        this.random = new Random(seed);
        this.isOlder = isOlder;
        this.prefix = "seed " + seed + " ";
        this.used = 1 + random.nextInt(WORKSPACES); // few workspaces have many cycles each
        for (int i = 0; i < WORKSPACES; i++) {
            configurations[i] = configuration();
        }
    }

    public static void main(String[] arguments) {
        long first = Long.parseLong(arguments[0]);
        long count = Long.parseLong(arguments[1]);
        boolean isOlder = arguments.length > 2 && arguments[2].equals("older");
        for (long seed = first; seed < first + count; seed++) {
            new Differential(seed, isOlder).run();
        }
        System.out.println("finished");
    }

    private void run() {
        for (int i = 0; i < WORKSPACES; i++) {
            System.out.println(prefix + "workspace " + i + ": " + configurations[i]);
        }
        for (int step = 0; step < STEPS; step++) {
            String done;
            try {
                done = step();
            } catch (RuntimeException refused) {
                done = refused.getClass().getSimpleName() + ": " + refused.getMessage();
            }
            System.out.println(prefix + step + " " + done + state());
        }
        while (!scopes.isEmpty()) {
            scopes.pop().close();
        }
        arrays.clear();
        Nd4j.getWorkspaceManager().setDebugMode(DebugMode.DISABLED);
        Nd4j.getMemoryManager().setCurrentWorkspace(null);
        for (String id : List.copyOf(Nd4j.getWorkspaceManager().getAllWorkspacesIdsForCurrentThread())) {
            Nd4j.getWorkspaceManager().destroyWorkspace(Nd4j.getWorkspaceManager().getWorkspaceForCurrentThread(id));
        }
    }

    // ---- what is done ----

    private String step() {
        int which = random.nextInt(100);
        if (which < 20) {
            return cycle();
        } else if (which < 45) {
            return allocate();
        } else if (which < 62) {
            return enter();
        } else if (which < 82) {
            return leave();
        } else if (which < 86) {
            return copy();
        } else if (which < 88) {
            return borrow();
        } else if (which < 90) {
            return scopeOut();
        }
        return manage(which);
    }

    private String manage(int which) {
        MemoryWorkspace workspace = any();
        if (workspace == null) {
            return "nothing";
        } else if (which < 92) {
            workspace.toggleWorkspaceUse(which == 90);
            return "toggle " + workspace.getId() + " " + (which == 90);
        } else if (which < 94) {
            arrays.clear(); // it may free what its open scope has spilled
            workspace.initializeWorkspace();
            return "initialize " + workspace.getId();
        } else if (which < 96 && !workspace.isScopeActive()) {
            workspace.destroyWorkspace(which == 94);
            return "destroy " + workspace.getId();
        } else if (which == 96) {
            Nd4j.getWorkspaceManager().setDebugMode(DebugMode.SPILL_EVERYTHING);
            return "spill everything";
        }
        Nd4j.getWorkspaceManager().setDebugMode(DebugMode.DISABLED);
        return "spill as usual";
    }

    private String enter() {
        int which = random.nextInt(used);
        MemoryWorkspace workspace = Nd4j.getWorkspaceManager().getWorkspaceForCurrentThread(configurations[which], "W" + which);
        boolean isCurrent = Nd4j.getMemoryManager().getCurrentWorkspace() == workspace;
        if (scopes.contains(workspace) && !isCurrent) {
            return "not entered";
        }
        scopes.push(workspace.notifyScopeEntered());
        return "enter " + workspace.getId();
    }

    /** A whole cycle, so that there are many: pinned memory is freed after some. */
    private String cycle() {
        int scopesBefore = scopes.size();
        String text = enter();
        if (scopes.size() > scopesBefore) {
            try {
                text += ", " + allocate();
            } finally {
                text += ", " + leave();
            }
        }
        return text;
    }

    private String leave() {
        if (scopes.isEmpty()) {
            return "nothing to leave";
        }
        MemoryWorkspace workspace = scopes.pop();
        workspace.close();
        return "leave " + workspace.getId();
    }

    private String borrow() {
        MemoryWorkspace workspace = any();
        if (workspace == null || !workspace.isScopeActive()) {
            return "nothing to borrow";
        }
        try (MemoryWorkspace borrowed = workspace.notifyScopeBorrowed()) {
            return "borrow " + borrowed.getId() + ": " + allocate();
        }
    }

    private String scopeOut() {
        try (MemoryWorkspace none = Nd4j.getWorkspaceManager().scopeOutOfWorkspaces()) {
            return "outside " + (none == null) + ": " + allocate();
        }
    }

    private String allocate() {
        MemoryWorkspace current = Nd4j.getMemoryManager().getCurrentWorkspace();
        int elements = size(current);
        boolean isZeroed = random.nextBoolean();
        INDArray array = isZeroed ? Nd4j.create(DataType.FLOAT, elements)
                                  : Nd4j.createUninitialized(DataType.FLOAT, new long[] {elements}, 'c');
        String sum = isZeroed ? " of " + array.sumNumber() : "";
        keep(array.assign(random.nextInt(100)));
        return "allocate " + elements + sum + (array.isAttached() ? " attached" : "");
    }

    /**
     * ND4J recurses for ever if a circular workspace without blocks, or with a block that a bound has cut, is too small; so
     * there it fits.
     */
    private int size(MemoryWorkspace current) {
        int elements = 1 + random.nextInt(random.nextInt(4) == 0 ? 20000 : 600);
        if (isCircularAndSmall(current)) {
            elements = (int) Math.max(1, Math.min(elements, ((CpuWorkspace) current).getCurrentSize() / 4 - 64));
        }
        return elements;
    }

    private static boolean isCircularAndSmall(MemoryWorkspace workspace) {
        return workspace instanceof CpuWorkspace && workspace.getWorkspaceType() == MemoryWorkspace.Type.CIRCULAR
                && ((CpuWorkspace) workspace).getCurrentSize() > 0 && !hasWholeBlocks((CpuWorkspace) workspace);
    }

    private static boolean hasWholeBlocks(CpuWorkspace workspace) {
        return workspace.getInitialBlockSize() > 0 && workspace.getInitialBlockSize() <= workspace.getCurrentSize();
    }

    private static boolean hasCircularAndSmall() {
        return Nd4j.getWorkspaceManager().getAllWorkspacesIdsForCurrentThread().stream()
                .map(id -> Nd4j.getWorkspaceManager().getWorkspaceForCurrentThread(id))
                .anyMatch(Differential::isCircularAndSmall);
    }

    private String copy() {
        arrays.removeIf(array -> array.isAttached() && !isValid(array));
        if (arrays.isEmpty() || hasCircularAndSmall()) {
            return "nothing to copy";
        }
        INDArray array = arrays.get(random.nextInt(arrays.size()));
        String id = "W" + random.nextInt(used);
        int how = random.nextInt(4);
        INDArray copy = how == 0 ? array.detach()
                : how == 1       ? array.leverage()
                : how == 2       ? array.leverageTo(id)
                                 : array.migrate(true);
        String result = "copy " + how + " " + copy.getFloat(0) + (copy == array ? " itself" : "");
        keep(copy);
        return result;
    }

    private static boolean isValid(INDArray array) {
        MemoryWorkspace workspace = array.data().getParentWorkspace();
        return workspace.isScopeActive() && workspace.getGenerationId() == array.data().getGenerationId()
                && workspace.getWorkspaceType() != MemoryWorkspace.Type.CIRCULAR;
    }

    private void keep(INDArray array) {
        arrays.add(array);
        if (arrays.size() > KEPT_ARRAYS) {
            arrays.remove(0);
        }
    }

    private MemoryWorkspace any() {
        String id = "W" + random.nextInt(used);
        return Nd4j.getWorkspaceManager().checkIfWorkspaceExists(id)
                ? Nd4j.getWorkspaceManager().getWorkspaceForCurrentThread(id)
                : null;
    }

    // ---- configurations ----

    private WorkspaceConfiguration configuration() {
        boolean isCircular = random.nextInt(3) == 0;
        boolean isMapped = random.nextInt(6) == 0;
        boolean isStrict = random.nextBoolean() || isMapped && isOlder;
        LearningPolicy learning = isMapped ? LearningPolicy.NONE : one(LearningPolicy.values());
        long initial = isMapped || random.nextInt(3) == 0 ? 4096 + random.nextInt(60000) : 0;
        return WorkspaceConfiguration.builder().initialSize(initial)
                .minSize(random.nextInt(4) == 0 ? random.nextInt(30000) : 0)
                .maxSize(random.nextInt(4) == 0 && !(isMapped && isOlder) ? 1024 + random.nextInt(60000) : 0)
                .overallocationLimit(isCircular && !isStrict ? 1 + random.nextInt(4) : random.nextInt(5) / 4.0)
                .policyAllocation(isStrict ? AllocationPolicy.STRICT : AllocationPolicy.OVERALLOCATE)
                .policyLearning(learning).cyclesBeforeInitialization(random.nextInt(5))
                .policyReset(isCircular ? ResetPolicy.ENDOFBUFFER_REACHED : ResetPolicy.BLOCK_LEFT)
                .policySpill(isMapped ? SpillPolicy.EXTERNAL : one(SpillPolicy.values()))
                .policyLocation(isMapped ? LocationPolicy.MMAP : LocationPolicy.RAM).build();
    }

    private <T> T one(T[] values) {
        return values[random.nextInt(values.length)];
    }

    // ---- what is compared ----

    private static String state() {
        StringBuilder text = new StringBuilder();
        MemoryWorkspace current = Nd4j.getMemoryManager().getCurrentWorkspace();
        text.append(" | current ").append(current instanceof CpuWorkspace ? current.getId() : String.valueOf(current == null));
        for (int i = 0; i < WORKSPACES; i++) {
            if (Nd4j.getWorkspaceManager().checkIfWorkspaceExists("W" + i)) {
                text.append(" | ").append(state((CpuWorkspace) Nd4j.getWorkspaceManager().getWorkspaceForCurrentThread("W" + i)));
            }
        }
        return text.toString();
    }

    private static String state(CpuWorkspace workspace) {
        return workspace.getId() + " size " + workspace.getCurrentSize() + " offset " + workspace.getHostOffset() + " "
                + workspace.getDeviceOffset() + " generation " + workspace.getGenerationId() + " cycles "
                + workspace.getCyclesCount() + " steps " + workspace.getStepNumber() + " block "
                + workspace.getInitialBlockSize() + " this " + workspace.getThisCycleAllocations() + " last "
                + workspace.getLastCycleAllocations() + " max " + workspace.getMaxCycleAllocations() + " spilled "
                + workspace.getSpilledSize() + " " + workspace.getNumberOfExternalAllocations() + " pinned "
                + workspace.getPinnedSize() + " " + workspace.getNumberOfPinnedAllocations() + " open "
                + workspace.isScopeActive() + " type " + workspace.getWorkspaceType() + " " + workspace.getWorkspaceConfiguration();
    }
}
