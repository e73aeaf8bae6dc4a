# SPDX-License-Identifier: Apache-2.0
# `make java`: the Java client and its shim, with Debian's JDK 17 alone, which also compiles the class for Java 22. A JDK of
# 22 or later, if there is one, tests it.

JAVA_DIR  := client/java
JAVA_OUT  := $(BUILD)/java
JAVA_MADE := $(JAVA_OUT)/made
JAVA_VIEW := $(JAVA_DIR)/src/main/templates/View.java.in
JAVA_VIEWS := $(patsubst %,$(JAVA_MADE)/io/membroker/%View.java,Byte Int Long Float Double)
JAVA_SRC  := $(shell find $(JAVA_DIR)/src/main/java -name '*.java') $(JAVA_VIEWS)
JAVA22_SRC := $(shell find $(JAVA_DIR)/src/main/java22 -name '*.java')
JAVA22_STUBS := $(shell find $(JAVA_DIR)/src/stubs -name '*.java')
JAVA_TESTS := $(shell find $(JAVA_DIR)/src/test/java -name '*.java')
JAVA22_TESTS := $(shell find $(JAVA_DIR)/src/test/java22 -name '*.java')
JAVA_ARCH  = $(subst x86_64,amd64,$(shell uname -m))

# looked up when they are used: packaging/setup.sh may install one first
JDK       = $(firstword $(wildcard /usr/lib/jvm/java-17-openjdk-*))
JDK22     = $(shell sh $(JAVA_DIR)/find-jdk 22)
JUNIT     = /usr/share/java/junit-platform-console-standalone.jar
JUNIT_PATH = $(subst $(space),:,$(addprefix /usr/share/java/,junit-jupiter-api.jar junit-jupiter-params.jar junit-platform-commons.jar opentest4j.jar apiguardian-api.jar))
JAVAC_FLAGS := -Xlint:all -Werror -proc:none -encoding UTF-8
empty :=
space := $(empty) $(empty)

JNI_O := $(call object,$(wildcard $(JAVA_DIR)/src/main/native/*.c))
JNI_INCLUDES = -isystem $(JDK)/include -isystem $(JDK)/include/linux
$(JNI_O): CPPFLAGS += $(JNI_INCLUDES)
$(JNI_O): | $(call need,java)

JAR      := $(JAVA_OUT)/membroker.jar
JNI      := $(JAVA_OUT)/libmembroker_jni.so
JNI_IN_JAR := $(JAVA_OUT)/carried/libmembroker_jni.so

# the one that is installed shares libmembroker with the other libraries of its process
$(JNI): $(JNI_O) $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -Wl,-z,defs,-z,nodelete -o $@ $(JNI_O) -L$(BUILD) -lmembroker

# the one in the jar has libmembroker inside, and with it all that Debian has as an archive
$(JNI_IN_JAR): $(JNI_O) $(STATIC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -Wl,-z,defs,-z,nodelete -Wl,--exclude-libs,ALL -o $@ $(JNI_O) $(STATIC) \
	    -Wl,-Bstatic -lprotobuf-c -lutf8proc -Wl,-Bdynamic -pthread

# the views differ in their types only
ELEMENTS_Byte   := bytes
ELEMENTS_Int    := numbers of 32 bits
ELEMENTS_Long   := numbers of 64 bits
ELEMENTS_Float  := floating-point numbers of 32 bits
ELEMENTS_Double := floating-point numbers of 64 bits
$(JAVA_MADE)/io/membroker/%View.java: $(JAVA_VIEW) $(JAVA_DIR)/java.mk
	@mkdir -p $(@D)
	@sed 's/@Type@/$*/g;s/@type@/\L$*/g;s/@elements@/$(ELEMENTS_$*)/' $< >$@

# the class for Java 22 is compiled against stubs, in place of that version's java.base
JAVA22_FLAGS = --patch-module java.base=$(JAVA_OUT)/stubs --add-exports java.base/java.lang.foreign=ALL-UNNAMED
$(JAVA_OUT)/classes.stamp: $(JAVA_SRC) $(JAVA22_SRC) $(JAVA22_STUBS) $(JAVA_DIR)/java.mk | $(call need,java)
	@rm -rf $(JAVA_OUT)/classes $(JAVA_OUT)/stubs && mkdir -p $(JAVA_OUT)/classes/META-INF/versions/22 $(JAVA_OUT)/stubs
	$(Q)$(JDK)/bin/javac --release 17 $(JAVAC_FLAGS) -Xdoclint:all/protected -d $(JAVA_OUT)/classes $(JAVA_SRC)
	@$(JDK)/bin/javac $(JAVAC_FLAGS) --patch-module java.base=$(JAVA_DIR)/src/stubs -d $(JAVA_OUT)/stubs $(JAVA22_STUBS)
	@$(JDK)/bin/javac $(JAVAC_FLAGS) $(JAVA22_FLAGS) -cp $(JAVA_OUT)/classes -d $(JAVA_OUT)/classes/META-INF/versions/22 $(JAVA22_SRC)
	@touch $@

$(JAR): $(JAVA_OUT)/classes.stamp $(JNI_IN_JAR) $(JAVA_DIR)/manifest
	@mkdir -p $(JAVA_OUT)/classes/io/membroker/native/linux-$(JAVA_ARCH)
	@cp $(JNI_IN_JAR) $(JAVA_OUT)/classes/io/membroker/native/linux-$(JAVA_ARCH)/
	$(Q)$(JDK)/bin/jar --create --file $@ --manifest $(JAVA_DIR)/manifest -C $(JAVA_OUT)/classes .

java: $(JAR) $(JNI) ## the Java client under build/java/: the jar, and the shim that is installed

$(JAVA_OUT)/tests.stamp: $(JAVA_TESTS) $(JAVA22_TESTS) $(JAR) | $(call need,test-java)
	@rm -rf $(JAVA_OUT)/tests $(JAVA_OUT)/tests22 && mkdir -p $(JAVA_OUT)/tests $(JAVA_OUT)/tests22
	$(Q)$(JDK)/bin/javac --release 17 $(JAVAC_FLAGS) -d $(JAVA_OUT)/tests -cp $(JAR):$(JUNIT_PATH) $(JAVA_TESTS)
	@if [ "$(JDK22)" ]; then $(JDK22)/bin/javac --release 22 $(JAVAC_FLAGS) -d $(JAVA_OUT)/tests22 \
	    -cp $(JAVA_OUT)/tests:$(JAR):$(JUNIT_PATH) $(JAVA22_TESTS); fi
	@touch $@

java-tests: $(JAVA_OUT)/tests.stamp $(JNI)

test-java: java-tests all python ## the Java client's tests
	sh $(JAVA_DIR)/check-java $(BUILD)

# ---- as a repository of Maven's has it ----
POM        := $(JAVA_DIR)/pom.xml
PUBLISHED_POM = sed '/<properties>/,/<\/build>/d' $(POM)
JAVADOC     = $(JDK)/bin/javadoc -quiet -Xdoclint:all -Werror --release 17
ARTIFACT    = $(JAVA_OUT)/repository/io/membroker/membroker/$(VERSION)/membroker-$(VERSION)

# who uses the client needs none of what builds it
java-repository: $(JAR) ## the Java client as a Maven repository, under build/java/repository/
	@grep -q '<version>$(VERSION)</version>' $(POM)
	@rm -rf $(JAVA_OUT)/repository $(JAVA_OUT)/javadoc && mkdir -p $(dir $(ARTIFACT))
	@cp $(JAR) $(ARTIFACT).jar
	@$(PUBLISHED_POM) >$(ARTIFACT).pom
	@$(JDK)/bin/jar --create --file $(ARTIFACT)-sources.jar -C $(JAVA_DIR)/src/main/java . -C $(JAVA_MADE) .
	@$(JAVADOC) -d $(JAVA_OUT)/javadoc $(JAVA_SRC)
	@$(JDK)/bin/jar --create --file $(ARTIFACT)-javadoc.jar -C $(JAVA_OUT)/javadoc .
	@sh $(JAVA_DIR)/finish-repository $(JAVA_OUT)/repository io.membroker membroker $(VERSION)
	@echo "The Maven repository is $(JAVA_OUT)/repository"

javadoc: $(JAR) ## the documentation of the Java client, under build/java/javadoc/
	@rm -rf $(JAVA_OUT)/javadoc
	@$(JAVADOC) -d $(JAVA_OUT)/javadoc $(JAVA_SRC)
	@echo "The documentation is $(JAVA_OUT)/javadoc/index.html"

JAVADIR   ?= $(PREFIX)/share/java
JNIDIR    ?= $(LIBDIR)/jni
MAVENDIR  ?= $(PREFIX)/share/maven-repo/io/membroker/membroker/$(VERSION)
JAVADOCDIR ?= $(PREFIX)/share/doc/libmembroker-java
JAVA_DOCUMENTS = $(JAVA_DIR)/README.md client/WORKSPACES.md client/BUFFERS.md client/BLOCKS.md
INSTALLED_JAVA = $(addprefix $(JAVADOCDIR)/,$(notdir $(JAVA_DOCUMENTS))) $(JAVADIR)/membroker.jar $(JAVADIR)/membroker-$(VERSION).jar $(JNIDIR)/libmembroker_jni.so \
                 $(addprefix $(MAVENDIR)/membroker-$(VERSION),.jar .pom)

install-java: java ## install the Java client to $(DESTDIR)$(PREFIX)
	install -D -m 644 $(JAR) $(DESTDIR)$(JAVADIR)/membroker-$(VERSION).jar
	ln -sf membroker-$(VERSION).jar $(DESTDIR)$(JAVADIR)/membroker.jar
	install -D -m 644 $(JNI) $(DESTDIR)$(JNIDIR)/libmembroker_jni.so
	install -D -m 644 -t $(DESTDIR)$(JAVADOCDIR) $(JAVA_DOCUMENTS)
	install -d -m 755 $(DESTDIR)$(MAVENDIR)
	$(PUBLISHED_POM) >$(DESTDIR)$(MAVENDIR)/membroker-$(VERSION).pom
	ln -sfr $(DESTDIR)$(JAVADIR)/membroker-$(VERSION).jar $(DESTDIR)$(MAVENDIR)/membroker-$(VERSION).jar

uninstall-java: ## remove what install-java put there
	rm -f $(addprefix $(DESTDIR),$(INSTALLED_JAVA))
	for directory in $(MAVENDIR) $(JAVADOCDIR); do \
	    [ ! -d $(DESTDIR)$$directory ] || rmdir -p --ignore-fail-on-non-empty $(DESTDIR)$$directory; done

# ---- beside what a program would use instead ----
JAVA_BENCH := $(JAVA_OUT)/bench
BENCH_JAVA_SRC := $(wildcard $(JAVA_DIR)/src/bench/java/io/membroker/bench/*.java)

$(JAVA_BENCH)/fetched: $(JAVA_DIR)/src/bench/pom.xml | $(call need,bench-java)
	@mkdir -p $(@D)
	mvn -B -q -f $< org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
	    -DoutputDirectory=$(abspath $(JAVA_BENCH)/jars)
	@touch $@

$(JAVA_BENCH)/compiled: $(BENCH_JAVA_SRC) $(JAR) $(JAVA_BENCH)/fetched
	@rm -rf $(JAVA_BENCH)/classes && mkdir -p $(JAVA_BENCH)/classes
	$(Q)$(JDK)/bin/javac --release 17 -encoding UTF-8 -d $(JAVA_BENCH)/classes -cp '$(JAR):$(JAVA_BENCH)/jars/*' $(BENCH_JAVA_SRC)
	@touch $@

bench-java: $(JAVA_BENCH)/compiled $(DAEMON) $(CTL) ## measure the Java client and the plug-in for ND4J with JMH, in ten minutes (Maven Central)
	/usr/bin/python3 $(JAVA_DIR)/bench-java $(BUILD) $(or $(ROUNDS),5) $(README)

.PHONY: java java-tests test-java bench-java java-repository javadoc install-java uninstall-java
