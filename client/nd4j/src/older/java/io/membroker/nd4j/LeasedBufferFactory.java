/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.TrackedBuffer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.buffer.factory.DefaultDataBufferFactory;
import org.nd4j.linalg.factory.Nd4j;

/**
 * ND4J's factory of data buffers, but the memory of an array outside workspaces is a tracked buffer. For ND4J 1.0.0-beta6:
 * newer versions allocate in a native library, see {@link LeasedNativeOps}.
 */
public class LeasedBufferFactory extends DefaultDataBufferFactory {
    private static DataBuffer leased(DataType type, long length) {
        ArrayLosses.tell();
        TrackedBuffer memory = Broker.buffer(Math.multiplyExact(length, (long) type.width()));
        return Nd4j.createBuffer(new LeasedPointer(memory, length), length, type);
    }

    @Override
    public DataBuffer create(DataType type, long length, boolean initialize) {
        if (length <= 0 || type.width() <= 0 || type == DataType.UTF8) {
            return super.create(type, length, initialize);
        }
        DataBuffer buffer = leased(type, length);
        if (initialize) {
            Pointer.memset(buffer.pointer(), 0, length * type.width());
        }
        return buffer;
    }

    // ---- copies of Java's arrays ----

    @Override
    public DataBuffer createDouble(double[] data, boolean copy) {
        DataBuffer buffer = create(DataType.DOUBLE, data.length, false);
        if (data.length > 0) {
            ((DoublePointer) buffer.pointer()).put(data);
        }
        return buffer;
    }

    @Override
    public DataBuffer createFloat(float[] data, boolean copy) {
        DataBuffer buffer = create(DataType.FLOAT, data.length, false);
        if (data.length > 0) {
            ((FloatPointer) buffer.pointer()).put(data);
        }
        return buffer;
    }

    @Override
    public DataBuffer createInt(int[] data, boolean copy) {
        DataBuffer buffer = create(DataType.INT, data.length, false);
        if (data.length > 0) {
            ((IntPointer) buffer.pointer()).put(data);
        }
        return buffer;
    }

    @Override
    public DataBuffer createLong(long[] data, boolean copy) {
        DataBuffer buffer = create(DataType.LONG, data.length, false);
        if (data.length > 0) {
            ((LongPointer) buffer.pointer()).put(data);
        }
        return buffer;
    }

    // ---- the same as create() of the type ----

    @Override
    public DataBuffer createDouble(long length) {
        return create(DataType.DOUBLE, length, true);
    }

    @Override
    public DataBuffer createDouble(long length, boolean initialize) {
        return create(DataType.DOUBLE, length, initialize);
    }

    @Override
    public DataBuffer createFloat(long length) {
        return create(DataType.FLOAT, length, true);
    }

    @Override
    public DataBuffer createFloat(long length, boolean initialize) {
        return create(DataType.FLOAT, length, initialize);
    }

    @Override
    public DataBuffer createHalf(long length) {
        return create(DataType.HALF, length, true);
    }

    @Override
    public DataBuffer createHalf(long length, boolean initialize) {
        return create(DataType.HALF, length, initialize);
    }

    @Override
    public DataBuffer createBFloat16(long length) {
        return create(DataType.BFLOAT16, length, true);
    }

    @Override
    public DataBuffer createBFloat16(long length, boolean initialize) {
        return create(DataType.BFLOAT16, length, initialize);
    }

    @Override
    public DataBuffer createInt(long length) {
        return create(DataType.INT, length, true);
    }

    @Override
    public DataBuffer createInt(long length, boolean initialize) {
        return create(DataType.INT, length, initialize);
    }

    @Override
    public DataBuffer createLong(long length) {
        return create(DataType.LONG, length, true);
    }

    @Override
    public DataBuffer createLong(long length, boolean initialize) {
        return create(DataType.LONG, length, initialize);
    }

    @Override
    public DataBuffer createShort(long length) {
        return create(DataType.SHORT, length, true);
    }

    @Override
    public DataBuffer createShort(long length, boolean initialize) {
        return create(DataType.SHORT, length, initialize);
    }

    @Override
    public DataBuffer createByte(long length) {
        return create(DataType.BYTE, length, true);
    }

    @Override
    public DataBuffer createByte(long length, boolean initialize) {
        return create(DataType.BYTE, length, initialize);
    }

    @Override
    public DataBuffer createBool(long length) {
        return create(DataType.BOOL, length, true);
    }

    @Override
    public DataBuffer createBool(long length, boolean initialize) {
        return create(DataType.BOOL, length, initialize);
    }

    @Override
    public DataBuffer createUShort(long length) {
        return create(DataType.UINT16, length, true);
    }

    @Override
    public DataBuffer createUShort(long length, boolean initialize) {
        return create(DataType.UINT16, length, initialize);
    }

    @Override
    public DataBuffer createUInt(long length) {
        return create(DataType.UINT32, length, true);
    }

    @Override
    public DataBuffer createUInt(long length, boolean initialize) {
        return create(DataType.UINT32, length, initialize);
    }

    @Override
    public DataBuffer createUByte(long length) {
        return create(DataType.UBYTE, length, true);
    }

    @Override
    public DataBuffer createUByte(long length, boolean initialize) {
        return create(DataType.UBYTE, length, initialize);
    }

    @Override
    public DataBuffer createULong(long length) {
        return create(DataType.UINT64, length, true);
    }

    @Override
    public DataBuffer createULong(long length, boolean initialize) {
        return create(DataType.UINT64, length, initialize);
    }
}
