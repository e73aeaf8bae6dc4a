/* SPDX-License-Identifier: Apache-2.0 */

import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.conf.layers.SubsamplingLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions;

/**
 * A DL4J program that knows nothing of membroker: it trains a small network on made-up images, and prints each loss to the
 * last bit. Arguments: the iterations, the images in a batch, and perhaps an iteration before which it waits for a line, and
 * after how many more it waits again.
 */
public final class Training {
    private static final int SIDE = 28;
    private static final int CLASSES = 10;

    private Training() {
    }

    public static void main(String[] arguments) throws Exception {
        int iterations = Integer.parseInt(arguments[0]);
        int images = Integer.parseInt(arguments[1]);
        int pause = arguments.length > 2 ? Integer.parseInt(arguments[2]) : -1;
        int again = arguments.length > 3 ? Integer.parseInt(arguments[3]) : Integer.MAX_VALUE;
        DataSet[] batches = batches(images);
        MultiLayerNetwork network = new MultiLayerNetwork(configuration());
        network.init();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (int i = 0; i < iterations; i++) {
            if (pause >= 0 && i >= pause && (i - pause) % again == 0) {
                System.out.println("waiting");
                input.readLine();
            }
            network.fit(batches[i % batches.length]);
            System.out.printf("iteration %d loss %016x%n", i, Double.doubleToLongBits(network.score()));
        }
        System.out.println("finished");
        if (pause >= iterations) {
            System.out.println("waiting");
            input.readLine();
        }
    }

    private static MultiLayerConfiguration configuration() {
        return new NeuralNetConfiguration.Builder().seed(42).updater(new Adam(1e-3)).list()
                .layer(new ConvolutionLayer.Builder(5, 5).nOut(8).activation(Activation.RELU).build())
                .layer(new SubsamplingLayer.Builder(SubsamplingLayer.PoolingType.MAX).kernelSize(2, 2).stride(2, 2).build())
                .layer(new DenseLayer.Builder().nOut(64).activation(Activation.TANH).build())
                .layer(new OutputLayer.Builder(LossFunctions.LossFunction.NEGATIVELOGLIKELIHOOD).nOut(CLASSES)
                        .activation(Activation.SOFTMAX).build())
                .setInputType(InputType.convolutionalFlat(SIDE, SIDE, 1)).build();
    }

    private static DataSet[] batches(int images) {
        Nd4j.getRandom().setSeed(7);
        DataSet[] batches = new DataSet[4];
        for (int i = 0; i < batches.length; i++) {
            INDArray features = Nd4j.rand(DataType.FLOAT, images, SIDE * SIDE);
            INDArray labels = Nd4j.zeros(DataType.FLOAT, images, CLASSES);
            for (int row = 0; row < images; row++) {
                labels.putScalar(row, (row * 7 + i) % CLASSES, 1.0);
            }
            batches[i] = new DataSet(features, labels);
        }
        return batches;
    }
}
