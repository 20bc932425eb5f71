import { Injectable } from '@nestjs/common';
import { Config } from '../../../config/config.js';
import type { ListedJob, SshContainer } from '../../../modules/jobs/index.js';
import { toImsStatus } from './job-status.js';

const SSH_PORT = 22;

/**
 * Jobs as records of this API. The names of Kubernetes objects follow from the id, so they are told also where no such
 * objects exist.
 *
 * @see Image Management Service v3, JobRecord; `cause` and `percent` are Kiln's own
 */
@Injectable()
export class ImsJobsPresenter {
  constructor(private readonly config: Config) {}

  readonly present = (job: ListedJob) => ({
    id: job.id,
    created: job.createdAt.toISOString(),
    job_type: job.jobType,
    image_root_archive_name: job.imageRootArchiveName,
    kernel_file_name: job.kernelFileName,
    initrd_file_name: job.initrdFileName,
    kernel_parameters_file_name: job.kernelParametersFileName,
    status: toImsStatus(job.state),
    cause: job.causeCode === null ? null : { code: job.causeCode, message: job.causeMessage },
    percent: job.percent,
    artifact_id: job.recipeId ?? job.imageId,
    public_key_id: job.publicKeyId,
    kubernetes_job: `cray-ims-${job.id}-${job.jobType}`,
    kubernetes_service: serviceName(job),
    kubernetes_configmap: `cray-ims-${job.id}-configmap`,
    kubernetes_namespace: this.config.ims.namespace,
    kubernetes_pvc: `cray-ims-${job.id}-job-claim`,
    // The copy of the signing keys of the site, which is not made.
    kubernetes_secret: null,
    ssh_containers: job.sshContainers?.map((container) => this.presentContainer(job, container)) ?? null,
    enable_debug: job.enableDebug,
    resultant_image_id: job.resultantImageId,
    build_env_size: job.buildEnvSizeGib,
    job_mem_size: job.memoryGib,
    arch: job.arch,
    require_dkms: job.requireDkms,
    remote_build_node: '',
  });

  private presentContainer(job: ListedJob, { name, jail }: SshContainer) {
    const { sshSubnet, sshDomain, namespace } = this.config.ims;
    const { status = 'pending', host, port, inside } = job.shell ?? {};
    if (host !== undefined && port !== undefined) {
      const reachable = { host, port };
      return {
        name,
        jail,
        status,
        connection_info: { customer_access: reachable, 'cluster.local': inside ?? reachable },
      };
    }
    return {
      name,
      jail,
      status,
      connection_info: {
        customer_access: { host: `${job.id}.ims.${sshSubnet}.${sshDomain}`, port: SSH_PORT },
        'cluster.local': { host: `${serviceName(job)}.${namespace}.svc.cluster.local`, port: SSH_PORT },
      },
    };
  }
}

function serviceName(job: ListedJob): string {
  return `cray-ims-${job.id}-service`;
}
