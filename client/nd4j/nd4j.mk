# SPDX-License-Identifier: Apache-2.0
# `make nd4j`: the plug-in for ND4J, one jar with the Java client inside. Maven fetches ND4J from Maven Central into its
# local repository, which is outside the checkout.

ND4J_DIR   := client/nd4j
ND4J_OUT   := $(BUILD)/nd4j
ND4J_SRC   := $(wildcard $(ND4J_DIR)/src/main/java/io/membroker/nd4j/*.java)
OLDER_SRC  := $(wildcard $(ND4J_DIR)/src/older/java/io/membroker/nd4j/*.java)
ND4J_FILES := $(shell find $(ND4J_DIR)/src/main/resources -type f)
ND4J_JAR   := $(ND4J_OUT)/membroker-nd4j-$(VERSION).jar
MAVEN      ?= mvn -B -q
FETCH_JARS := org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies

# the jars of the two versions of ND4J that the tests run
$(ND4J_OUT)/%.fetched: tests/nd4j/%/pom.xml | $(call need,nd4j)
	@rm -rf $(ND4J_OUT)/$* && mkdir -p $(ND4J_OUT)
	$(MAVEN) -f $< $(FETCH_JARS) -DoutputDirectory=$(abspath $(ND4J_OUT)/$*)
	@touch $@

# compiled with the newer version, but for what that version has no use for; the tests run one jar on both
$(ND4J_JAR): $(ND4J_SRC) $(OLDER_SRC) $(ND4J_FILES) $(JAR) $(ND4J_OUT)/newer.fetched $(ND4J_OUT)/older.fetched
	@rm -rf $(ND4J_OUT)/classes && mkdir -p $(ND4J_OUT)/classes
	$(Q)$(JDK)/bin/javac --release 17 -Xlint:all,-classfile,-path -Werror -proc:none -encoding UTF-8 -d $(ND4J_OUT)/classes \
	    -cp '$(JAR):$(ND4J_OUT)/newer/*' $(ND4J_SRC)
	$(Q)$(JDK)/bin/javac --release 17 -Xlint:all,-classfile,-path -Werror -proc:none -encoding UTF-8 -d $(ND4J_OUT)/classes \
	    -cp '$(ND4J_OUT)/classes:$(JAR):$(ND4J_OUT)/older/*' $(OLDER_SRC)
	@cp -r $(ND4J_DIR)/src/main/resources/. $(ND4J_OUT)/classes/
	@cp $(JAR) $@.new
	@$(JDK)/bin/jar --update --file $@.new -C $(ND4J_OUT)/classes .
	@mv $@.new $@

nd4j: $(ND4J_JAR) ## the plug-in for ND4J under build/nd4j/ (Maven Central)

INSTALLED_ND4J = $(JAVADIR)/membroker-nd4j.jar $(JAVADIR)/membroker-nd4j-$(VERSION).jar

install-nd4j: $(ND4J_JAR) ## install the plug-in for ND4J to $(DESTDIR)$(PREFIX) (Maven Central)
	install -D -m 644 $(ND4J_JAR) $(DESTDIR)$(JAVADIR)/membroker-nd4j-$(VERSION).jar
	ln -sf membroker-nd4j-$(VERSION).jar $(DESTDIR)$(JAVADIR)/membroker-nd4j.jar

uninstall-nd4j: ## remove what install-nd4j put there
	rm -f $(addprefix $(DESTDIR),$(INSTALLED_ND4J))

# ---- as a repository of Maven's has it: the Java client is an artifact of its own ----
ND4J_POM      := $(ND4J_DIR)/pom.xml
ND4J_ARTIFACT := $(JAVA_OUT)/repository/io/membroker/membroker-nd4j/$(VERSION)/membroker-nd4j-$(VERSION)

nd4j-repository: $(ND4J_JAR) java-repository ## the Java client and the plug-in for ND4J as a Maven repository (Maven Central)
	@test $$(grep -c '<version>$(VERSION)</version>' $(ND4J_POM)) = 2
	@rm -rf $(ND4J_OUT)/javadoc && mkdir -p $(dir $(ND4J_ARTIFACT))
	@cp $(ND4J_POM) $(ND4J_ARTIFACT).pom
	@$(JDK)/bin/jar --create --file $(ND4J_ARTIFACT).jar -C $(ND4J_OUT)/classes .
	@$(JDK)/bin/jar --create --file $(ND4J_ARTIFACT)-sources.jar -C $(ND4J_DIR)/src/main/java . \
	    -C $(ND4J_DIR)/src/older/java . -C $(ND4J_DIR)/src/main/resources .
	@$(JDK)/bin/javadoc -quiet -Xdoclint:none --release 17 -d $(ND4J_OUT)/javadoc -cp '$(JAR):$(ND4J_OUT)/newer/*' $(ND4J_SRC)
	@$(JDK)/bin/jar --create --file $(ND4J_ARTIFACT)-javadoc.jar -C $(ND4J_OUT)/javadoc .
	@sh $(JAVA_DIR)/finish-repository $(JAVA_OUT)/repository io.membroker membroker-nd4j $(VERSION)
	@echo "The Maven repository is $(JAVA_OUT)/repository"

# each test program is compiled with the version that it runs on
ND4J_TESTS := $(wildcard tests/nd4j/*.java)
$(ND4J_OUT)/tests-newer.compiled: $(ND4J_TESTS) $(ND4J_OUT)/newer.fetched
	@mkdir -p $(ND4J_OUT)/tests-newer
	$(Q)$(JDK)/bin/javac --release 17 -nowarn -proc:none -encoding UTF-8 -d $(ND4J_OUT)/tests-newer -cp '$(ND4J_OUT)/newer/*' $(ND4J_TESTS)
	@touch $@

$(ND4J_OUT)/tests-older.compiled: $(ND4J_TESTS) $(ND4J_OUT)/older.fetched
	@mkdir -p $(ND4J_OUT)/tests-older
	$(Q)$(JDK)/bin/javac --release 17 -nowarn -proc:none -encoding UTF-8 -d $(ND4J_OUT)/tests-older -cp '$(ND4J_OUT)/older/*' \
	    $(filter-out %/Interrupted.java %/Learned.java %/Many.java %/Start.java,$(ND4J_TESTS))
	@touch $@

# preloaded into a JVM, it counts what ND4J allocates elsewhere
$(BUILD)/tests/count_native.so: tests/nd4j/count_native.c
	@mkdir -p $(@D)
	$(Q)$(CC) -I. $(CPPFLAGS) $(ALL_CFLAGS) $(TEST_WARNINGS) -fvisibility=default -fno-builtin -U_FORTIFY_SOURCE -shared -o $@ $<

test-nd4j: all $(BUILD)/tests/count_native.so $(ND4J_JAR) $(ND4J_OUT)/tests-newer.compiled $(ND4J_OUT)/tests-older.compiled $(ND4J_OUT)/logging.fetched nd4j-repository ## the plug-in on real ND4J and DL4J (Maven Central)
	PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/nd4j/check-nd4j $(BUILD)

bench-java: $(ND4J_JAR)

.PHONY: nd4j nd4j-repository install-nd4j uninstall-nd4j test-nd4j
