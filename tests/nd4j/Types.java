/* SPDX-License-Identifier: Apache-2.0 */

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Arrays;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

/** Arrays of each type outside workspaces, and arrays that are made of Java's: what they say must not depend on the plug-in. */
public final class Types {
    private static final int LARGE = 3000;

    private Types() {
    }

    /** What one kind of array says. */
    private interface Use {
        Object run() throws IOException;
    }

    public static void main(String[] arguments) {
        for (DataType type : DataType.values()) {
            say(type + " zeros", () -> Nd4j.zeros(type, 3, 5));
            say(type + " filled", () -> filled(type));
            say(type + " sum", () -> filled(type).castTo(DataType.DOUBLE).sumNumber());
            say(type + " added", () -> filled(type).addi(1));
            say(type + " view", () -> filled(type).get(NDArrayIndex.point(1), NDArrayIndex.all()));
            say(type + " copy", () -> filled(type).dup().equals(filled(type)));
            say(type + " scalar", () -> Nd4j.scalar(type, 1));
            say(type + " empty", () -> Nd4j.empty(type));
            say(type + " written", () -> written(filled(type)));
        }
        for (int length : new int[] {1, 1000, LARGE}) {
            say("floats " + length, () -> sums(Nd4j.createFromArray(floats(length))));
            say("doubles " + length, () -> sums(Nd4j.createFromArray(doubles(length))));
            say("ints " + length, () -> sums(Nd4j.createFromArray(ints(length))));
            say("longs " + length, () -> sums(Nd4j.createFromArray(Arrays.stream(ints(length)).asLongStream().toArray())));
        }
        say("zeros in used memory", Types::zeros);
        say("strings", () -> Nd4j.create("one", "two"));
        say("random", () -> sums(Nd4j.getRandom().nextGaussian(new int[] {LARGE})) != null);
        say("product", () -> Nd4j.ones(DataType.FLOAT, 20, 30).mmul(Nd4j.ones(DataType.FLOAT, 30, 20)).sumNumber());
        say("closed", Types::closed);
    }

    private static void say(String name, Use use) {
        try {
            System.out.println(name + ": " + use.run());
        } catch (IOException | RuntimeException | Error failed) {
            System.out.println(name + ": " + failed.getClass().getName());
        }
    }

    private static INDArray filled(DataType type) {
        INDArray array = Nd4j.createUninitialized(type, 3, 5);
        for (int i = 0; i < array.length(); i++) {
            array.putScalar(i, i % 2);
        }
        return array;
    }

    /** The bytes, and whether the same comes back. */
    private static String written(INDArray array) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Nd4j.write(array, new DataOutputStream(bytes));
        boolean isSame = array.equals(Nd4j.read(new ByteArrayInputStream(bytes.toByteArray())));
        return Arrays.hashCode(bytes.toByteArray()) + " " + isSame;
    }

    private static String sums(INDArray array) {
        return array.sumNumber() + " " + array.length() + " " + array.dataType() + " " + array.isAttached();
    }

    private static float[] floats(int length) {
        float[] data = new float[length];
        Arrays.fill(data, 2);
        return data;
    }

    private static double[] doubles(int length) {
        double[] data = new double[length];
        Arrays.fill(data, 3);
        return data;
    }

    private static int[] ints(int length) {
        int[] data = new int[length];
        Arrays.setAll(data, i -> i);
        return data;
    }

    private static double zeros() {
        double sum = 0;
        for (int i = 0; i < 1000; i++) {
            Nd4j.ones(DataType.FLOAT, LARGE).close();
            sum += Nd4j.zeros(DataType.FLOAT, LARGE).sumNumber().doubleValue();
        }
        return sum;
    }

    private static String closed() {
        INDArray array = Nd4j.ones(DataType.FLOAT, LARGE);
        array.close();
        return array.wasClosed() + " " + array.closeable();
    }
}
